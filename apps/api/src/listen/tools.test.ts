import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { startTestServer } from "./testing.ts";

const run = promisify(execFile);
const buf = join(import.meta.dirname, "../../../../node_modules/.bin/buf");
const json = ["-H", "content-type: application/json"];

describe.each(["--http1.1", "--http2-prior-knowledge"])("curl %s", (version) => {
  async function curl(...args: string[]): Promise<string> {
    const { stdout } = await run("curl", ["-sS", version, "-w", "\n%{http_code} %{http_version}", ...args]);
    return stdout;
  }
  const spoken = version === "--http1.1" ? "1.1" : "2";

  it("calls with JSON", async () => {
    const { url } = await startTestServer();
    const text = await curl(`${url}/orchestrator.v1.OrchestratorService/SubmitTask`, ...json, "-d", '{"id":"t1"}');
    expect(text).toBe(`{"success":true,"taskId":"t1"}\n200 ${spoken}`);
  });

  it("reaches what is no RPC, up to the size limit", async () => {
    const { url } = await startTestServer({ limits: { maxBodyBytes: 1000 } });
    expect(await curl(url, "-d", "a".repeat(1000))).toBe(`POST 1000\n200 ${spoken}`);
    expect(await curl(url, "-d", "a".repeat(1001))).toContain("at most 1000 bytes");
    expect(await curl(url, "-H", "transfer-encoding: chunked", "-d", "a".repeat(1001))).toContain(`413 ${spoken}`);
  });

  it("is told which fields are wrong, what was expected and what came", async () => {
    const { url } = await startTestServer();
    const body = '{"task":{"class":"Bad Class","priority":900}}';
    const text = await curl(`${url}/drover.v1.TaskService/SubmitTask`, ...json, "-d", body);
    const { code, message, details } = JSON.parse(text.split("\n")[0] ?? "");
    expect(code).toBe("invalid_argument");
    expect(message).toContain('task.class does not match regex pattern `^([a-z][a-z0-9_-]*)?$`, got "Bad Class"');
    expect(message).toContain(
      "task.priority must be greater than or equal to -100 and less than or equal to 100, got 900",
    );
    expect(details[1].debug.fieldViolations.map(({ field }: { field: string }) => field)).toEqual([
      "task.class",
      "task.priority",
    ]);
  });

  it("gets the answer at its deadline though the handler never answers", async () => {
    const { url, observed } = await startTestServer();
    const header = ["-H", "connect-timeout-ms: 50"];
    const text = await curl(
      `${url}/orchestrator.v1.OrchestratorService/SubmitTask`,
      ...json,
      ...header,
      "-d",
      '{"id":"slow"}',
    );
    expect(text).toContain('"code":"deadline_exceeded"');
    expect(text).toContain(`504 ${spoken}`);
    expect(observed).toMatchObject([{ code: "deadline_exceeded", method: "SubmitTask" }]);
  });

  it("is told the content type and method that a call takes", async () => {
    const { url } = await startTestServer();
    const call = `${url}/orchestrator.v1.OrchestratorService/SubmitTask`;
    const text = await curl(call, "-H", "content-type: text/plain", "-d", "{}");
    expect(text).toMatch(/Expected content type application\/json.*got text\/plain\.\n\n415/s);
    expect(await curl(call)).toMatch(/Expected method POST .*got GET\.\n\n405/s);
  });

  it("is told what is wrong with a body that cannot be read", async () => {
    const { url, observed } = await startTestServer();
    const call = `${url}/orchestrator.v1.OrchestratorService/SubmitTask`;
    for (const body of ["{", '{"id":7}', '{"id":', "[]", "null"]) {
      const text = await curl(call, ...json, "-d", body);
      expect(text).toContain('"code":"invalid_argument"');
      expect(text).toContain(`400 ${spoken}`);
    }
    const proto = await curl(call, "-H", "content-type: application/proto", "--data-binary", "\n\u0010ab");
    expect(proto).toBe(`{"code":"invalid_argument","message":"parse binary: premature EOF"}\n400 ${spoken}`);
    expect(observed.map(({ method, code }) => `${method} ${code}`)).toEqual(
      Array(6).fill("SubmitTask invalid_argument"),
    );
    expect(await curl(call, ...json, "-d", '{"id":"t1"}')).toContain("200");
  });

  it("is refused above the message size", async () => {
    const { url } = await startTestServer();
    const call = `${url}/orchestrator.v1.OrchestratorService/SubmitTask`;
    const text = await curl(call, ...json, "-d", `{"id":"${"x".repeat(70_000)}"}`);
    expect(text).toContain('"code":"resource_exhausted"');
    expect(await curl(call, ...json, "-d", '{"id":"t1"}')).toContain("200");
  });
});

describe("fetch", () => {
  async function post(body: string, encoding: string): Promise<string> {
    const { url } = await startTestServer();
    const compressed = encoding === "br" ? brotliCompressSync(body) : gzipSync(body);
    const headers = { "content-type": "application/json", "content-encoding": encoding, "accept-encoding": encoding };
    const call = `${url}/orchestrator.v1.OrchestratorService/SubmitTask`;
    const response = await fetch(call, { method: "POST", headers, body: new Uint8Array(compressed) });
    return `${response.headers.get("content-encoding")} ${await response.text()}`;
  }

  it.each(["gzip", "br"])("compresses by %s both ways", async (encoding) => {
    const echo = "x".repeat(5000);
    const answer = await post(JSON.stringify({ id: "t1", payload: { echo } }), encoding);
    expect(answer).toBe(`${encoding} {"success":true,"taskId":"t1","error":"${echo}"}`);
  });

  it.each(["gzip", "br"])(
    "is refused when a small body by %s unpacks to more than the message size",
    async (encoding) => {
      const answer = await post(JSON.stringify({ id: "x".repeat(1_000_000) }), encoding);
      expect(answer).toMatch(
        /"code":"resource_exhausted","message":"message is larger than configured readMaxBytes 65536/,
      );
    },
  );
});

describe.each(["connect", "grpc", "grpcweb"])("buf curl by %s, without a schema", (protocol) => {
  async function curl(...args: string[]): Promise<string> {
    const { stdout } = await run(buf, ["curl", "--http2-prior-knowledge", "--protocol", protocol, ...args]);
    return stdout;
  }

  it.each(["grpc-v1", "grpc-v1alpha"])("lists by %s and calls", async (reflection) => {
    const { url } = await startTestServer();
    const listed = await curl("--reflect-protocol", reflection, "--list-services", url);
    expect(listed.trim().split("\n")).toEqual(["drover.v1.TaskService", "orchestrator.v1.OrchestratorService"]);
    const call = `${url}/orchestrator.v1.OrchestratorService/StreamTaskResults`;
    const results = await curl("--reflect-protocol", reflection, "-d", '{"task_ids":["a","b"]}', call);
    expect(results).toContain('"taskId": "b"');
  });

  it("is told the fields that break a rule", async () => {
    const { url } = await startTestServer();
    const attempt = curl("-d", "{}", `${url}/drover.v1.TaskService/SubmitTask`);
    await expect(attempt).rejects.toThrow("task must be set, got nothing");
  });
});
