import { join } from "node:path";
import { expect, it } from "vitest";
import { runPythonClient, whyNoPythonClient } from "../testing-python.ts";
import { startTestServer } from "./testing.ts";

it("serves an unmodified grpcio client without TLS", { timeout: 60_000 }, async ({ skip }) => {
  const lack = await whyNoPythonClient();
  if (lack !== undefined) skip(lack);
  const server = await startTestServer();
  expect(
    await runPythonClient({
      script: join(import.meta.dirname, "grpcio.py"),
      contract: "orchestrator/v1/orchestrator.proto",
      address: `127.0.0.1:${server.port}`,
    }),
  ).toMatchObject({
    unary: { success: true, task_id: "t1", error: "hi" },
    stream: ["a", "b"],
    metadata: { "x-tenant": "acme", "x-served-by": "drover", "x-request-id": "mine" },
    deadline: { code: "DEADLINE_EXCEEDED", within_2s: true },
    cancel: { first: "task_submitted", code: "CANCELLED" },
    details: {
      code: "INVALID_ARGUMENT",
      details: 'payload.image must be an image, got "-".',
      names: ["google.rpc.BadRequest", "payload.image"],
    },
    missing: "UNIMPLEMENTED",
    gzip: 20_000,
    oversize: { code: "RESOURCE_EXHAUSTED", after: true },
    thousand: 1000,
  });
  await server.eventsAborted;
  expect(server.faults).toEqual([]);
});
