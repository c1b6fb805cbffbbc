import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const python = "/usr/bin/python3";
const plugin = "/usr/bin/grpc_python_plugin";
const protoFolder = join(import.meta.dirname, "../../../proto");

/** Why no client of Python's grpcio can be run here, or nothing. In CI that is an error. */
export async function whyNoPythonClient(): Promise<string | undefined> {
  const needs = [
    [python, ["-c", "import grpc"], "python3-grpcio"],
    ["protoc", ["--version"], "protobuf-compiler"],
    ["test", ["-x", plugin], "protobuf-compiler-grpc"],
  ] as const;
  for (const [command, args, name] of needs) {
    try {
      await run(command, [...args]);
    } catch (error) {
      const lack = `Debian's package ${name} is not installed.`;
      if (process.env["CI"] === "true") throw new Error(`Expected grpcio in CI: ${lack}`, { cause: error });
      return lack;
    }
  }
  return undefined;
}

/** Runs a client of Python's grpcio, with stubs made from a contract below proto/; answers with the JSON that it prints. */
export async function runPythonClient({
  script,
  contract,
  address,
}: {
  script: string;
  contract: string;
  /** host:port */
  address: string;
}): Promise<unknown> {
  const stubs = await mkdtemp(join(tmpdir(), "drover-python-client-"));
  try {
    const outputs = [`--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
    await run("protoc", [
      `--proto_path=${protoFolder}`,
      ...outputs,
      `--plugin=protoc-gen-grpc_python=${plugin}`,
      contract,
    ]);
    const { stdout } = await run(python, [script, address, stubs]);
    return JSON.parse(stdout);
  } finally {
    await rm(stubs, { recursive: true });
  }
}
