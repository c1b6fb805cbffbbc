import type { Execution } from "./execution.ts";
import type { Json } from "./json.ts";
import { decodePayloadValue } from "./payload.ts";

/**
 * An execution with what a payload of class gpu_slurm asks for beside it: `gpus` of one node, unless the execution says
 * how many. `nodes` above 1 is a fault: one task runs on one node, and a task that became several would have one id, one
 * result and one log for all of them.
 */
export function withSlurmHints(
  execution: Execution,
  payload: Readonly<Record<string, Json>>,
): { execution: Execution } | { fault: string } {
  const nodes = readCount(payload["nodes"]);
  const gpus = readCount(payload["gpus"]);
  if (nodes === "unreadable" || gpus === "unreadable") {
    const [field, value] = nodes === "unreadable" ? ["nodes", payload["nodes"]] : ["gpus", payload["gpus"]];
    return { fault: `payload.${field}: expected a whole number from 0, got ${JSON.stringify(value)}` };
  }
  if (nodes !== undefined && nodes > 1) {
    return {
      fault:
        `payload.nodes: expected 1, got ${nodes}; a task runs on one node. Submit ${nodes} tasks to drover.v1.TaskService ` +
        `with one execution.gang of size ${nodes}: they start together or not at all`,
    };
  }
  if (gpus === undefined || gpus === 0 || (execution.resources?.gpuCount ?? 0) > 0) return { execution };
  return { execution: { ...execution, resources: { ...execution.resources, gpuCount: gpus } } };
}

/** A count that may come as text; undefined where there is none. */
function readCount(value: Json | undefined): number | "unreadable" | undefined {
  const inner = typeof value === "string" ? decodePayloadValue(value) : value;
  if (inner === undefined || inner === null || inner === "") return undefined;
  return typeof inner === "number" && Number.isSafeInteger(inner) && inner >= 0 && inner <= 1000 ? inner : "unreadable";
}
