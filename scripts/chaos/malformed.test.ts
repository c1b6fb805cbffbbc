import { connect as connectHttp2 } from "node:http2";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectDecent, messageJson, methods, rest, send as sendTo } from "./malformed.ts";
import { setup } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

let world: World;
let url: string;
let errors: () => string[];
beforeAll(async () => {
  world = createWorld({ isShared: true });
  const { api, tasks } = await setup(world);
  url = api.url;
  errors = () => api.process.lines.filter((line) => line.fields["level"] === "error").map((line) => line.text);
  await tasks.submitTask({ task: { id: "known", type: "echo" } });
});
afterAll(() => world[Symbol.asyncDispose]());

const send = (path: string, options: Parameters<typeof sendTo>[2]) => sendTo(url, path, options);

describe("malformed requests", () => {
  it("in JSON, with the fields of every unary method, are never our fault and show nothing of our inside", async () => {
    for (const { path, method } of methods) {
      const bodies = fc.sample(messageJson(method.input.fields as unknown as Parameters<typeof messageJson>[0]), {
        numRuns: 25,
        seed: 20_260_101,
      });
      const headers = { "content-type": "application/json", "connect-timeout-ms": "3000" };
      for (const body of bodies) {
        const text = JSON.stringify(body);
        const answer = await send(path, { headers, body: text });
        if (answer.status !== 504) expectDecent(answer, `${path} ${text}`);
      }
    }
    expect(errors()).toEqual([]);
  }, 40_000);

  it("with values that the database cannot take, in every text and number, are the client's fault", async () => {
    const headers = { "content-type": "application/json" };
    const bad = "a\u0000b";
    const spec = { type: "echo", payload: bad };
    const cases: [string, unknown][] = [
      ["TaskService/SubmitTask", { task: { ...spec, id: bad } }],
      ["TaskService/SubmitTask", { task: { ...spec, idempotencyKey: bad } }],
      ["TaskService/SubmitTask", { task: { ...spec, type: bad } }],
      ["TaskService/SubmitTask", { task: { ...spec, labels: { [bad]: bad } } }],
      ["TaskService/SubmitTask", { task: { ...spec, retry: { noRetryOn: [bad] } } }],
      [
        "TaskService/SubmitTasks",
        {
          tasks: [
            { ...spec, id: bad },
            { type: "echo", labels: { x: bad } },
          ],
        },
      ],
      ["TaskService/SubmitTask", { task: { execution: { command: [bad], image: bad, env: { [bad]: bad } } } }],
      ["TaskService/GetTask", { id: bad }],
      ["TaskService/CancelTask", { id: "known", reason: bad }],
      ["TaskService/ListTasks", { class: bad, labels: { [bad]: bad } }],
      ["TaskService/ListTasks", { pageToken: bad }],
      ["TaskService/ListTasks", { createdAfter: "9999-12-31T23:59:59Z", createdBefore: "0001-01-01T00:00:00Z" }],
      ["ClassService/PauseClass", { name: bad }],
      ["ClassService/CreateClass", { name: "fine", defaultImage: bad }],
      ["NodeService/GetNode", { name: bad }],
      ["WorkerService/RegisterWorker", { name: bad, types: [bad], classes: [bad] }],
      ["WorkerService/ClaimTasks", { session: "9999999999.9999999999999999999", maxTasks: 1 }],
      ["WorkerService/RenewLease", { session: "2147483648.1" }],
      [
        "WorkerService/CompleteTasks",
        { session: "1.1", completions: [{ key: "-9223372036854775808", fence: "9223372036854775807", result: bad }] },
      ],
      [
        "WorkerService/FailTasks",
        {
          session: "1.1",
          failures: [
            { key: "1", fence: "1", class: bad, message: bad, details: { [bad]: bad }, retryAfter: "315576000000s" },
          ],
        },
      ],
    ];
    for (const [name, body] of cases) {
      const text = JSON.stringify(body);
      expectDecent(await send(`/drover.v1.${name}`, { headers, body: text }), `${name} ${text}`);
    }
    const compat = { id: bad, class: bad, payload: { [bad]: bad } };
    for (const path of ["/queue/submit", "/tasks"])
      expectDecent(await send(path, { headers, body: JSON.stringify(compat) }), path);
    expectDecent(await send("/tasks/%00", { method: "GET" }), "/tasks/%00");
    for (const name of ["SubmitTask", "GetTaskStatus"]) {
      const body = JSON.stringify({ id: bad, taskId: bad, payload: { x: bad } });
      expectDecent(await send(`/orchestrator.v1.OrchestratorService/${name}`, { headers, body }), name);
    }
    // A worker that lives may hand in a text that cannot be stored; its session stays good.
    const register = await send("/drover.v1.WorkerService/RegisterWorker", {
      headers,
      body: JSON.stringify({ name: "w", types: ["echo"] }),
    });
    const { session } = JSON.parse(register.text) as { session: string };
    const claim = await send("/drover.v1.WorkerService/ClaimTasks", {
      headers,
      body: JSON.stringify({ session, maxTasks: 1 }),
    });
    const [task] = (JSON.parse(claim.text) as { tasks?: { key: string; fence: string }[] }).tasks ?? [];
    if (task !== undefined) {
      const failure = { key: task.key, fence: task.fence, class: bad, message: bad, details: { [bad]: bad } };
      expectDecent(
        await send("/drover.v1.WorkerService/FailTasks", {
          headers,
          body: JSON.stringify({ session, failures: [failure] }),
        }),
        "FailTasks",
      );
      const completion = { key: task.key, fence: task.fence, result: { [bad]: bad } };
      expectDecent(
        await send("/drover.v1.WorkerService/CompleteTasks", {
          headers,
          body: JSON.stringify({ session, completions: [completion] }),
        }),
        "CompleteTasks",
      );
    }
    expect(errors()).toEqual([]);
  }, 40_000);

  it("without a length or with a chunked body are read as any other", async () => {
    expect(await send("/queue/status", { method: "DELETE" })).toMatchObject({ status: 405 });
    const headers = { "content-type": "application/json", "transfer-encoding": "chunked" };
    const body = JSON.stringify({ id: "chunked", payload: { command: ["true"] } });
    expect(await send("/queue/submit", { headers, body })).toEqual({ status: 200, text: '{"ok":true,"id":"chunked"}' });
    expect(await send("/queue/submit", { headers, body: " ".repeat(17 * 1024 * 1024) })).toMatchObject({ status: 413 });
  });

  it("of random bytes, content types, methods and headers are never our fault at any path", async () => {
    const paths = [...methods.map(({ path }) => path), ...rest];
    const types = [
      "application/json",
      "application/proto",
      "application/connect+proto",
      "application/grpc",
      "application/grpc-web+proto",
      "application/grpc-web-text",
      "text/plain",
      "",
      "application/json; charset=latin1",
    ];
    const any = fc.record({
      path: fc.constantFrom(...paths),
      type: fc.constantFrom(...types),
      method: fc.constantFrom("POST", "POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD"),
      body: fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => Buffer.from(text)),
        fc.constant(Buffer.from([0, 0xff, 0xff, 0xff, 0xff])),
      ),
      encoding: fc.constantFrom("", "", "", "gzip", "br", "nonsense"),
      timeout: fc.constantFrom("2000", "2000", "-1", "abc", "99999999999"),
      version: fc.constantFrom("1", "1", "2", ""),
      query: fc.constantFrom("", "", "?x=%ff", "?connect=v1&encoding=json&message=%7B", "?limit=-1"),
    });
    for (const { path, type, method, body, encoding, timeout, version, query } of fc.sample(any, {
      numRuns: 600,
      seed: 20_260_102,
    })) {
      const headers: Record<string, string> = {
        ...(type !== "" && { "content-type": type }),
        ...(encoding !== "" && { "content-encoding": encoding, "grpc-encoding": encoding }),
        "connect-timeout-ms": timeout,
        "grpc-timeout": `${timeout}m`,
        ...(version !== "" && { "connect-protocol-version": version }),
      };
      const answer = await send(`${path}${query}`, {
        method,
        headers,
        ...(method !== "GET" && method !== "HEAD" && { body }),
      });
      expectDecent(answer, `${method} ${path}${query} ${JSON.stringify(headers)} ${Buffer.from(body).toString("hex")}`);
    }
    expect(errors()).toEqual([]);
  }, 40_000);

  it("in gRPC over HTTP/2 get a gRPC status that is neither internal nor unknown", async () => {
    const session = connectHttp2(url);
    const call = (path: string, body: Uint8Array) =>
      new Promise<string>((resolve, reject) => {
        const stream = session.request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc+proto",
          te: "trailers",
          "grpc-timeout": "3S",
        });
        let status = "";
        stream.on("response", (headers) => (status = String(headers["grpc-status"] ?? status)));
        stream.on("trailers", (trailers) => (status = String(trailers["grpc-status"] ?? status)));
        stream
          .on("data", () => undefined)
          .on("error", reject)
          .on("close", () => resolve(status));
        stream.end(body);
      });
    const frame = (body: Uint8Array) => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(body.length, 1);
      return Buffer.concat([head, body]);
    };
    const bodies = fc.sample(fc.uint8Array({ maxLength: 120 }), { numRuns: 8, seed: 20_260_103 });
    for (const { path } of methods) {
      for (const body of bodies) {
        const what = `${path} ${Buffer.from(body).toString("hex")}`;
        expect(["2", "13"], what).not.toContain(await call(path, frame(body)));
        expect(["2", "13"], what).not.toContain(await call(path, body));
      }
    }
    session.close();
    expect(errors()).toEqual([]);
  }, 40_000);
});
