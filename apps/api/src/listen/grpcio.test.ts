import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { startTestServer } from "./testing.ts";

const run = promisify(execFile);
const python = "/usr/bin/python3";
const protoFolder = join(import.meta.dirname, "../../../../proto");

it("serves an unmodified grpcio client without TLS", { timeout: 60_000 }, async ({ skip }) => {
  const lack = await findLack();
  if (lack !== undefined) {
    if (process.env["CI"] === "true") throw new Error(`Expected grpcio in CI: ${lack}`);
    skip(lack);
  }
  const stubs = await mkdtemp(join(tmpdir(), "drover-grpcio-"));
  try {
    await run("protoc", [
      `--proto_path=${protoFolder}`,
      `--python_out=${stubs}`,
      `--grpc_python_out=${stubs}`,
      grpcPlugin,
      contract,
    ]);
    const server = await startTestServer();
    const script = join(import.meta.dirname, "grpcio.py");
    const { stdout } = await run(python, [script, `127.0.0.1:${server.port}`, stubs]);
    expect(JSON.parse(stdout)).toMatchObject({
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
  } finally {
    await rm(stubs, { recursive: true });
  }
});

const grpcPlugin = "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin";
const contract = "orchestrator/v1/orchestrator.proto";

async function findLack(): Promise<string | undefined> {
  const needs = [
    [python, ["-c", "import grpc"], "python3-grpcio"],
    ["protoc", ["--version"], "protobuf-compiler"],
    ["test", ["-x", "/usr/bin/grpc_python_plugin"], "protobuf-compiler-grpc"],
  ] as const;
  for (const [command, args, name] of needs) {
    try {
      await run(command, [...args]);
    } catch {
      return `Debian's package ${name} is not installed.`;
    }
  }
  return undefined;
}
