import { EnvRunner, file_runner_v1_runner as runner } from "@drover/proto/runner/runner";
import { file_runner_v1_supervisor as supervisor, StreamSupervisor } from "@drover/proto/runner/supervisor";
import { describe, expect, it } from "vitest";
import { wireMessages, wireMethod } from "../../testing-wire.ts";

// What deployed clients of runner.v1 were generated from: field, number, type. Not to be changed, only added to.
const messages: Record<string, string[]> = {
  ResourceHints: ["cpu_millicores 1 uint32", "mem_bytes 2 uint64", "gpu_count 3 uint32", "gpu_class 4 string"],
  Mount: ["host_path 1 string", "mount_path 2 string", "read_only 3 bool"],
  RunEnv: [
    "oci_image 1 string",
    "argv 2 repeated string",
    "env 3 map<string,string>",
    "mounts 4 repeated Mount",
    "hard_timeout_ms 5 uint64",
    "resources 6 ResourceHints",
    "content_digest 7 string",
  ],
  TensorMeta: ["name 1 string", "shape 2 repeated int64", "dtype 3 string"],
  RunRequest: ["job_id 1 string", "run_id 2 string", "env 3 RunEnv", "inputs 4 repeated TensorMeta"],
  LogLine: ["ts 1 string", "level 2 string", "msg 3 string"],
  RunResult: ["exit_code 1 int32", "logs 2 repeated LogLine", "outputs 3 repeated TensorMeta", "cache_key 4 string"],
  WorkerHello: [
    "worker_id 1 string",
    "max_inflight 2 uint32",
    "version 3 string",
    "mesh_enabled 4 bool",
    "mesh_node_id 5 uint64",
    "mesh_domain 6 string",
  ],
  CreditReport: ["worker_id 1 string", "credits 2 uint32"],
  TaskAck: ["task_id 1 string", "success 2 bool", "error 3 string"],
  WorkerHeartbeat: ["worker_id 1 string", "processed 2 uint64", "failed 3 uint64"],
  TaskAssignment: [
    "task_id 1 string",
    "tenant 2 string",
    "topic 3 string",
    "payload 4 bytes",
    "offset 5 int64",
    "partition 6 string",
  ],
  WorkerToSupervisor: ["hello 1 WorkerHello", "credit 2 CreditReport", "ack 3 TaskAck", "heartbeat 4 WorkerHeartbeat"],
  SupervisorToWorker: ["assignment 1 TaskAssignment"],
};

describe("runner.v1", () => {
  it("has exactly the messages, fields, numbers and types that its clients were generated from", () => {
    expect(wireMessages(runner, supervisor)).toEqual(messages);
  });

  it("has exactly the calls that its clients make, under the same names", () => {
    expect([EnvRunner.typeName, ...EnvRunner.methods.map(wireMethod)]).toEqual([
      "runner.v1.EnvRunner",
      "Run RunRequest RunResult",
      "StreamRun RunRequest stream LogLine",
      "Healthz Empty Empty",
    ]);
    expect([StreamSupervisor.typeName, ...StreamSupervisor.methods.map(wireMethod)]).toEqual([
      "runner.v1.StreamSupervisor",
      "OpenStream stream WorkerToSupervisor stream SupervisorToWorker",
    ]);
  });

  it("chooses between the parts of a message by oneof", () => {
    const chosen = supervisor.messages.flatMap(({ name, oneofs }) =>
      oneofs.map((oneof) => [name, oneof.fields.length]),
    );
    expect(chosen).toEqual([
      ["WorkerToSupervisor", 4],
      ["SupervisorToWorker", 1],
    ]);
  });
});
