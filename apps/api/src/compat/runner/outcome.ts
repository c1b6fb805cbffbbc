import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TaskDetailRow } from "@drover/db/query/task";
import { DroverError, type ErrorReason } from "@drover/domain/error";
import type { RunResult } from "@drover/domain/run-result";
import type { LogLineSchema, TensorMetaSchema } from "@drover/proto/runner/runner";
import type { ReadLine } from "../../rpc/task-log.ts";

/** What the container exited with; throws where it did not end by itself. */
export function exitCodeOf({ state, error, result }: TaskDetailRow): number {
  const exitCode = (result as RunResult | null)?.exitCode ?? null;
  if (state === "completed") return exitCode ?? 0;
  const { class: name, message } = error ?? { class: state, message: null };
  if (exitCode !== null && (name === "exit_nonzero" || name === "oom_killed")) return exitCode;
  const reason = Object.hasOwn(reasons, name) ? reasons[name] : undefined;
  throw new DroverError(reason ?? "conflict", message ?? `The run ended as ${name}.`);
}

const reasons: Readonly<Record<string, ErrorReason>> = {
  timeout: "deadline",
  mount_refused: "forbidden",
  invalid_execution: "invalid",
  engine_unavailable: "unavailable",
};

/**
 * The tensors that the container says it made: `{"outputs": [{"name", "shape", "dtype"}]}` on the line of its output
 * that starts with `__DSPY_RESULT__:`.
 */
export function tensorsOf({ result }: TaskDetailRow): MessageInitShape<typeof TensorMetaSchema>[] {
  const told = (result as RunResult | null)?.runnerOutput;
  const outputs = isObject(told) && Array.isArray(told["outputs"]) ? told["outputs"] : [];
  return outputs.filter(isObject).map(({ name, shape, dtype }) => ({
    name: typeof name === "string" ? name : "",
    shape: Array.isArray(shape) ? shape.filter(Number.isSafeInteger).map((size) => BigInt(size as number)) : [],
    dtype: typeof dtype === "string" ? dtype : "",
  }));
}

/** A line as runners log it: stderr counts as error. */
export function logLine({ atMs, stream, text }: ReadLine): MessageInitShape<typeof LogLineSchema> {
  return { ts: new Date(atMs).toISOString(), level: stream === "stderr" ? "error" : "info", msg: text };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
