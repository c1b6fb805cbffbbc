import type { Json } from "./json.ts";
import type { RunResult } from "./run-result.ts";
import { isFinal, type TaskState } from "./task.ts";

export type CompatStatus = "pending" | "running" | "completed" | "failed";

/** What orchestrator.v1 is told of a task. */
export interface CompatTask {
  id: string;
  class: string;
  namespace: string;
  state: TaskState;
  payload: Json;
  attempt: number;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** What an attempt brought: a container or process leaves a run, a worker's handler a value. */
export type CompatOutcome = { run: RunResult } | { value: Json };

export interface CompatError {
  class: string;
  message: string;
}

/** The state as one of the four words that orchestrator.v1 knows; a cancelled task is a failed one there. */
export function compatStatus(state: TaskState): CompatStatus {
  switch (state) {
    case "waiting":
    case "pending":
      return "pending";
    case "cancelled":
      return "failed";
    default:
      return state;
  }
}

/** The error text of a task that ended without a result; empty for any other. */
export function compatError(state: TaskState, error?: CompatError | null): string {
  if (state === "failed") {
    return error?.message || error?.class || "The task failed.";
  }
  return state === "cancelled" ? `The task was cancelled${error?.message ? `: ${error.message}` : "."}` : "";
}

/** Duration and end as orchestrator.v1 streams them: 0 until the task is final, then fixed. Seconds are Unix time. */
export function compatTimes({ state, startedAt, finishedAt }: Pick<CompatTask, "state" | "startedAt" | "finishedAt">): {
  durationMs: number;
  completedAt: bigint;
} {
  if (!isFinal(state) || finishedAt === null) {
    return { durationMs: 0, completedAt: 0n };
  }
  return { durationMs: elapsedMs(startedAt, finishedAt), completedAt: unixSeconds(finishedAt) };
}

/**
 * The result map of a task: nothing while it is pending, where it started while it runs, and what it left once it has
 * ended, failed attempts with their logs included. Every value is a text; what is none is JSON.
 */
export function compatResult(task: CompatTask, outcome?: CompatOutcome): Record<string, string> {
  const facts = payloadFacts(task.payload);
  if (task.state === "running") {
    return asTexts({ class: task.class, started_at: task.startedAt?.toISOString(), ...facts, source: "runner" });
  }
  if (!isFinal(task.state)) {
    return {};
  }
  const run = outcome && "run" in outcome ? outcome.run : undefined;
  return asTexts({
    latency_ms: run?.durationMs ?? elapsedMs(task.startedAt, task.finishedAt),
    class: task.class,
    workflow_id: facts.workflow_id,
    workflow_context: payloadField(task.payload, "workflow_context"),
    metadata: run && JSON.stringify(compatMetadata(task, run)),
    ...(outcome && "value" in outcome ? valueFields(outcome.value) : {}),
  });
}

/** The runner's metadata; `outputs_summary` stands in both places where clients look for it. */
export function compatMetadata(task: CompatTask, run: RunResult): Record<string, unknown> {
  const { tenant, workflow_id = null } = payloadFacts(task.payload);
  return {
    status: compatStatus(task.state),
    exit_code: run.exitCode,
    duration_ms: run.durationMs,
    tenant,
    workflow_id,
    result: {
      outputs: run.outputs.map(({ path, type = null, name = null, sizeBytes, checksum }) => ({
        path,
        type,
        name,
        size_bytes: sizeBytes,
        checksum,
      })),
      metrics: { wall_clock_ms: run.durationMs, task_class: task.class },
      outputs_summary: run.outputsSummary,
    },
    outputs_summary: run.outputsSummary,
    // Logs are kept in the database, under `drover task logs`, and not as files that a client could open.
    logs: { stdout_path: "", stderr_path: "", stdout_tail: run.stdoutTail, stderr_tail: run.stderrTail },
    progress: [],
    working_dir: run.workingDir,
    runner_output: run.runnerOutput ?? null,
  };
}

/** Tenant and workflow as a payload names them. */
export function payloadFacts(payload: Json): { tenant: string; workflow_id?: string } {
  const tenant = payloadField(payload, "tenant");
  const workflow = payloadField(payload, "workflow_id");
  return {
    tenant: isNamed(tenant) ? asText(tenant) : "default",
    ...(isNamed(workflow) && { workflow_id: asText(workflow) }),
  };
}

/** Values as texts: a text stays, anything else becomes JSON, what is absent is left out. */
export function asTexts(fields: Record<string, unknown>): Record<string, string> {
  const isSet = ([, value]: [string, unknown]) => value !== undefined && value !== null;
  return Object.fromEntries(
    Object.entries(fields)
      .filter(isSet)
      .map(([key, value]) => [key, asText(value)]),
  );
}

/** Unix time in whole seconds. */
export function unixSeconds(time: Date): bigint {
  return BigInt(Math.floor(time.getTime() / 1000));
}

/** A handler's object gives its fields, so that clients find the keys that the handler chose; other values are `result`. */
function valueFields(value: Json): Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : { result: value };
}

function payloadField(payload: Json, key: string): Json | undefined {
  const isObject = typeof payload === "object" && payload !== null && !Array.isArray(payload);
  return isObject && Object.hasOwn(payload, key) ? payload[key] : undefined;
}

function isNamed(value: Json | undefined): value is Json {
  return value !== undefined && value !== null && value !== "";
}

function elapsedMs(startedAt: Date | null, finishedAt: Date | null): number {
  return startedAt && finishedAt ? Math.max(0, finishedAt.getTime() - startedAt.getTime()) : 0;
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
