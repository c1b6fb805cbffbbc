import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeFaults, parseExecution } from "./compat-execution.ts";
import type { Json } from "./json.ts";
import { decodePayload } from "./payload.ts";

/** The faults of an execution as one text. */
function faultsOf(execution: Json, rest: Record<string, Json> = {}): string {
  const parsed = parseExecution({ execution, ...rest });
  return parsed.ok ? "" : describeFaults(parsed.faults);
}

describe("parseExecution", () => {
  it("reads all that an execution can say", () => {
    const parsed = parseExecution({
      tenant: "gepa",
      execution: {
        image: "python:3.12",
        command: ["python", "-m", "train"],
        env: { SEED: "7" },
        mounts: [
          { host_path: "/data", mount_path: "/input", read_only: true },
          { host_path: "/out", mount_path: "/output" },
        ],
        resources: {
          cpu_millicores: 500,
          mem_bytes: 1_073_741_824,
          gpu_count: 1,
          gpu_class: "a100",
          gpu_memory_gb: 40,
          storage_gb: 5,
        },
        timeout_seconds: 60,
        working_dir: "/var/tasks/gepa/1",
        container_workdir: "/workspace",
      },
      artifacts: { inputs: ["in.json"], outputs: [{ path: "out.json", type: "json", name: "summary" }, "log.txt"] },
    });
    expect(parsed).toEqual({
      ok: true,
      timeoutSeconds: 60,
      execution: {
        image: "python:3.12",
        command: ["python", "-m", "train"],
        env: { SEED: "7" },
        mounts: [
          { hostPath: "/data", mountPath: "/input", readOnly: true },
          { hostPath: "/out", mountPath: "/output" },
        ],
        resources: {
          cpuMillicores: 500,
          memoryBytes: 1_073_741_824,
          gpuCount: 1,
          gpuClass: "a100",
          gpuMemoryGb: 40,
          storageGb: 5,
        },
        workingDir: "/workspace",
        artifacts: {
          inputs: ["in.json"],
          outputs: [{ path: "out.json", type: "json", name: "summary" }, { path: "log.txt" }],
        },
        tenant: "gepa",
      },
    });
  });

  it("fills the defaults, with null, blank and zero as absent", () => {
    const plain = { ok: true, timeoutSeconds: 1800, execution: { command: ["true"], tenant: "default" } };
    expect(parseExecution({ execution: { command: ["true"] } })).toEqual(plain);
    const unset = {
      command: ["true"],
      image: "",
      env: null,
      mounts: null,
      timeout_seconds: null,
      working_dir: null,
      artifacts: null,
    };
    expect(parseExecution({ execution: unset, artifacts: null, tenant: null })).toEqual(plain);
    expect(
      parseExecution({ execution: { command: ["true"], resources: { cpu_millicores: 0, gpu_class: null } } }),
    ).toMatchObject({ execution: { resources: {} } });
  });

  it("reads what a Python client makes of its payload with str()", () => {
    const payload = decodePayload({
      execution:
        "{'command': ['sleep', 5], 'image': None, 'env': {'DEBUG': True}, 'timeout_seconds': 60.0, 'mounts': []}",
      tenant: "7",
    });
    expect(parseExecution(payload)).toEqual({
      ok: true,
      timeoutSeconds: 60,
      execution: { command: ["sleep", "5"], env: { DEBUG: "true" }, mounts: [], tenant: "7" },
    });
  });

  it("reads values that are still texts inside", () => {
    const execution = {
      command: "['echo', 'hi there']",
      timeout_seconds: "90",
      resources: "{'cpu_millicores': '250'}",
      mounts: '[{"host_path": "/a", "mount_path": "/b", "read_only": "True"}]',
    };
    expect(parseExecution({ execution: JSON.stringify(execution) })).toMatchObject({
      ok: true,
      timeoutSeconds: 90,
      execution: {
        command: ["echo", "hi there"],
        resources: { cpuMillicores: 250 },
        mounts: [{ hostPath: "/a", mountPath: "/b", readOnly: true }],
      },
    });
  });

  it("takes artifacts and the working directory from where they are", () => {
    const inside = { command: ["true"], working_dir: "/work", artifacts: { outputs: [{ path: "a" }] } };
    expect(parseExecution({ execution: inside })).toMatchObject({
      execution: { workingDir: "/work", artifacts: { outputs: [{ path: "a" }] } },
    });
    expect(parseExecution({ execution: inside, artifacts: { outputs: [{ path: "b" }] } })).toMatchObject({
      execution: { artifacts: { outputs: [{ path: "b" }] } },
    });
  });

  it("says exactly what its clients know where there is no execution", () => {
    for (const payload of [{}, { execution: null }, { execution: " " }, { task: "x" }]) {
      const parsed = parseExecution(payload);
      expect(parsed).toEqual({
        ok: false,
        faults: [{ field: "payload.execution", message: "payload.execution section is required" }],
      });
      expect(describeFaults(parsed.ok ? [] : parsed.faults)).toBe("payload.execution section is required");
    }
  });

  it("names every fault at once, with what was expected and what came", () => {
    expect(
      faultsOf(
        {
          command: [],
          env: { A: null },
          mounts: [{ host_path: "data" }, 7],
          resources: { mem_bytes: "lots", gpu_count: -1 },
          timeout_seconds: 0,
        },
        { artifacts: { outputs: [{ name: "x" }] } },
      ).split("; "),
    ).toEqual([
      'payload.execution.command: expected a list that starts with the program, such as ["sh", "-c", "echo hi"], got []',
      "payload.execution.env.A: expected a text, got null",
      'payload.execution.mounts[0].host_path: expected an absolute path, got "data"',
      "payload.execution.mounts[0].mount_path: expected an absolute path, got nothing",
      "payload.execution.mounts[1]: expected an object, got 7",
      'payload.execution.resources.mem_bytes: expected a whole number from 0, got "lots"',
      "payload.execution.resources.gpu_count: expected a whole number from 0, got -1",
      "payload.artifacts.outputs[0].path: expected a text, got nothing",
      "payload.execution.timeout_seconds: expected seconds above 0 and up to 2592000, got 0",
    ]);
    expect(faultsOf("run it")).toBe('payload.execution: expected an object, got "run it"');
    expect(faultsOf({ command: "echo hi" })).toBe('payload.execution.command: expected a list, got "echo hi"');
    expect(faultsOf({ command: ["echo", ["x"]] })).toBe('payload.execution.command[1]: expected a text, got ["x"]');
    expect(faultsOf({})).toContain("payload.execution.command: expected a list that starts with the program");
    expect(faultsOf([1])).toBe("payload.execution: expected an object, got [1]");
  });

  it("answers any payload with an execution or with faults, and never throws", () => {
    const keys = fc.constantFrom(
      "image",
      "command",
      "env",
      "mounts",
      "resources",
      "timeout_seconds",
      "artifacts",
      "working_dir",
      "__proto__",
    );
    const json = fc.jsonValue() as fc.Arbitrary<Json>;
    const payloads = fc.record(
      { execution: fc.oneof(json, fc.dictionary(keys, json)), artifacts: json, tenant: json },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(payloads, (payload) => {
        const parsed = parseExecution(payload);
        if (parsed.ok) return parsed.execution.command.length > 0 && parsed.timeoutSeconds > 0;
        return (
          parsed.faults.length > 0 &&
          parsed.faults.every(({ field, message }) => field.startsWith("payload.") && message !== "")
        );
      }),
      { numRuns: 500 },
    );
  });
});
