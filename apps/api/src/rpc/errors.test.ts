import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { describe, expect, it } from "vitest";
import { codeByReason, createErrorInterceptor, toConnectError } from "./errors.ts";
import { createObserveInterceptor } from "./observe.ts";
import type { ObservedCall } from "./observe.ts";

const call = { requestId: "r-1", signal: new AbortController().signal };

function databaseError(code: string): Error {
  const cause = Object.assign(new Error('relation "drover.task" is broken'), { code });
  return new Error("Failed query: insert into drover.task values ($1) params: secret", { cause });
}

describe("toConnectError", () => {
  it.each(Object.entries(codeByReason))("answers reason %s with its code", (reason, code) => {
    expect(toConnectError(new DroverError(reason as keyof typeof codeByReason, "Sentence."), call).code).toBe(code);
  });

  it("keeps the sentence and adds what to do next", () => {
    const error = new DroverError("not_found", 'Expected a known task, got "x".', { hint: "List them." });
    expect(toConnectError(error, call).rawMessage).toBe('Expected a known task, got "x". List them.');
    const plain = new DroverError("not_found", "service x not found", { hint: "It is one of a, b." });
    expect(toConnectError(plain, call).rawMessage).toBe("service x not found. It is one of a, b.");
  });

  it("names each wrong field, and when to try again, in details that any gRPC client knows", () => {
    const fields = [{ field: "task.id", message: "must be short" }];
    const error = toConnectError(new DroverError("overloaded", "Full.", { fields, retryAfterMs: 2500 }), call);
    expect(error.details.map((detail) => ("desc" in detail ? [detail.desc.typeName, detail.value] : []))).toMatchObject(
      [
        ["google.rpc.ErrorInfo", { reason: "overloaded", domain: "drover" }],
        ["google.rpc.BadRequest", { fieldViolations: [{ field: "task.id", description: "must be short" }] }],
        ["google.rpc.RetryInfo", { retryDelay: { seconds: 2n, nanos: 500_000_000 } }],
      ],
    );
    expect(error.metadata.get("retry-after")).toBe("3");
  });

  it.each([
    new Error("secret"),
    new DroverError("internal", "secret"),
    ConnectError.from(new Error("secret")),
    new ConnectError("secret", Code.Internal, {}, [], new Error("secret")),
    databaseError("23505"),
    "secret",
    undefined,
  ])("hides the text of %s behind the request id", (thrown) => {
    const error = toConnectError(thrown, call);
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).toBe("The server failed on this call. Its log has the cause under request id r-1.");
    expect(error.cause).toBe(thrown);
  });

  it.each([
    ["08006", Code.Unavailable],
    ["57P01", Code.Unavailable],
    ["25006", Code.Unavailable],
    ["ECONNREFUSED", Code.Unavailable],
    ["CONNECTION_CLOSED", Code.Unavailable],
    ["40001", Code.Unavailable],
    ["57014", Code.Unavailable],
    ["53300", Code.ResourceExhausted],
  ])("says that the database is in passing trouble (%s), without its text", (code, expected) => {
    const error = toConnectError(databaseError(code), call);
    expect(error.code).toBe(expected);
    expect(error.rawMessage).toMatch(/Try again\.$/);
    expect(error.rawMessage).not.toMatch(/secret|drover\.task|insert/);
    expect(error.metadata.get("retry-after")).toBe("1");
  });

  it("keeps what Connect says to clients", () => {
    const own = new ConnectError("message is too large", Code.ResourceExhausted);
    expect(toConnectError(own, call)).toBe(own);
  });

  it("blames the signal for what fails after it was aborted", () => {
    const controller = new AbortController();
    controller.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    const error = toConnectError(databaseError("57014"), { ...call, signal: controller.signal });
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: "the operation timed out" });
  });
});

describe("interceptors for errors and observation", () => {
  function setup() {
    const observed: ObservedCall[] = [];
    const interceptors = [
      createObserveInterceptor({ onCall: (ended) => observed.push(ended) }),
      createErrorInterceptor(),
    ];
    const routes = createRouterTransport(
      ({ service }) => {
        service(OrchestratorService, {
          health: () => ({ healthy: true }),
          submitTask: () => Promise.reject(new Error("secret")),
          async *streamTaskResults() {
            yield { taskId: "a" };
            throw new Error("secret");
          },
          async *streamEvents() {
            yield { eventType: "x" };
          },
        });
      },
      { router: { interceptors } },
    );
    return { observed, client: createClient(OrchestratorService, routes) };
  }

  it("report each call once, with the cause that the client did not see", async () => {
    const { client, observed } = setup();
    await client.health({});
    const failure = ConnectError.from(await client.submitTask({}).catch((error: unknown) => error));
    expect(observed).toMatchObject([
      { service: "orchestrator.v1.OrchestratorService", method: "Health", code: "ok", isStream: false },
      { method: "SubmitTask", code: "internal", error: new Error("secret") },
    ]);
    expect(observed[0]?.durationMs).toBeGreaterThan(0);
    expect(observed[0]).not.toHaveProperty("error");
    expect(failure.rawMessage).toContain(observed[1]?.requestId);
    expect(failure.metadata.get("x-request-id")).toBe(observed[1]?.requestId);
  });

  it("translate a stream that fails midway, and report its end", async () => {
    const { client, observed } = setup();
    const stream = client.streamTaskResults({})[Symbol.asyncIterator]();
    await stream.next();
    expect(observed).toEqual([]);
    await expect(stream.next()).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.not.stringContaining("secret"),
    });
    expect(observed).toMatchObject([
      { method: "StreamTaskResults", code: "internal", isStream: true, error: new Error("secret") },
    ]);
    for await (const _ of client.streamEvents({})) expect(observed).toHaveLength(1);
    expect(observed[1]).toMatchObject({ method: "StreamEvents", code: "ok" });
  });

  it("keep a proper request id of the client and replace any other", async () => {
    const { client, observed } = setup();
    await client.health({}, { headers: { "x-request-id": "mine-1" } });
    await client.health({}, { headers: { "x-request-id": "not mine; drop" } });
    expect(observed[0]?.requestId).toBe("mine-1");
    expect(observed[1]?.requestId).toMatch(/^[\da-f-]{36}$/);
  });
});
