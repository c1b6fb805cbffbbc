import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { RunCostRow } from "@drover/db/query/ledger";
import type { RunRow, StepRow } from "@drover/db/query/run";
import { formatRunId } from "@drover/domain/run-id";
import { formatTaskKey, taskKeyTime } from "@drover/domain/task-id";
import type { Graph, Step } from "@drover/domain/workflow/definition";
import {
  isFinalRun,
  type RunState as RunStateName,
  type StepState as StepStateName,
} from "@drover/domain/workflow/lifecycle";
import { viewOutput } from "@drover/domain/workflow/output";
import { type Run, RunSchema, RunState, type RunStep, RunStepSchema, StepState } from "@drover/proto/drover/run";
import { valueMessage } from "./task-message.ts";

export const runStates: Record<RunStateName, RunState> = {
  pending: RunState.PENDING,
  running: RunState.RUNNING,
  completed: RunState.COMPLETED,
  partially_completed: RunState.PARTIALLY_COMPLETED,
  failed: RunState.FAILED,
  cancelled: RunState.CANCELLED,
};

const stepStates: Record<StepStateName, StepState> = {
  pending: StepState.PENDING,
  running: StepState.RUNNING,
  waiting: StepState.WAITING,
  completed: StepState.COMPLETED,
  failed: StepState.FAILED,
  skipped: StepState.SKIPPED,
  cancelled: StepState.CANCELLED,
};

/** A run as lists show it. */
export function runMessage(row: RunRow, cost?: RunCostRow): Run {
  return create(RunSchema, runInit(row, cost));
}

/** A run with every step of its graph; rows are those of the steps that were reached. */
export function runDetailMessage(row: RunRow, graph: Graph, rows: readonly StepRow[], cost?: RunCostRow): Run {
  const reached = new Map(rows.map((step) => [step.number, step]));
  const isOver = isFinalRun(row.state);
  const run = create(RunSchema, { ...runInit(row, cost), input: objectOf(row.input), fields: objectOf(row.fields) });
  if (row.output !== null) run.output = valueMessage(row.output);
  if (run.statistics !== undefined && !isOver) {
    const open = run.statistics.running + run.statistics.pending;
    const begun = rows.filter(({ item, state }) => item === -1 && (state === "running" || state === "waiting")).length;
    run.statistics.running = Math.min(begun, open);
    run.statistics.pending = open - run.statistics.running;
  }
  run.steps = graph.steps.map((step, number) => stepMessage(step, reached.get(number), isOver));
  return run;
}

/** A step by its row; without one it was not reached: pending, or skipped where the run is over. */
export function stepMessage(step: Step, row: StepRow | undefined, isOver: boolean): RunStep {
  return create(RunStepSchema, {
    id: step.id,
    name: step.name ?? "",
    kind: step.work.kind,
    item: -1,
    needs: [...new Set((step.needs ?? []).map((edge) => edge.from))],
    state: isOver ? StepState.SKIPPED : StepState.PENDING,
    ...(row && stepInit(step, row)),
  });
}

function stepInit(step: Step, row: StepRow): MessageInitShape<typeof RunStepSchema> {
  const output = row.is_stored ? row.output : viewOutput(step.work, row.output);
  const { total, ended, untilMs, event, approvers, message } = row.data ?? {};
  const deciders = Array.isArray(approvers) ? approvers.map((name) => JSON.stringify(name).slice(1, -1)) : undefined;
  const waits = [
    ...(typeof event === "string" ? [`event ${event}`] : []),
    ...(deciders === undefined ? [] : [deciders.length > 0 ? `approval by ${deciders.join(", ")}` : "approval"]),
    ...(typeof message === "string" && message !== "" ? [message] : []),
    ...(typeof untilMs === "number" ? [`until ${new Date(untilMs).toISOString()}`] : []),
  ];
  return {
    state: stepStates[row.state],
    item: row.item,
    taskId: row.taskId === null ? "" : (row.task_name ?? formatTaskKey(BigInt(row.taskId))),
    childRunId: row.childRunId === null ? "" : formatRunId(row.childRunId),
    ...(output !== null && { output: valueMessage(output) }),
    ...(row.error !== null && { error: { class: row.error.class, message: row.error.message } }),
    startedAt: timestampFromDate(row.started_at),
    ...(row.finished_at !== null && { finishedAt: timestampFromDate(row.finished_at) }),
    ...(typeof total === "number" && { itemsTotal: total }),
    ...(typeof ended === "number" && { itemsEnded: ended }),
    waitingFor: row.state === "waiting" ? waits.join("; ") : row.state === "running" ? taskWait(row) : "",
  };
}

/** What the task of a running step waits for; empty where it runs or is in its queue. */
function taskWait({ waiting_reason: reason, waiting_until: until, blocker, attempt }: StepRow): string {
  if (!reason || reason === "delayed") return "";
  const cause = reason === "retrying" ? `attempt ${(attempt ?? 0) + 1}` : (blocker ?? "its turn");
  return until ? `${cause}; until ${until.toISOString()}` : cause;
}

function runInit(row: RunRow, cost?: RunCostRow): MessageInitShape<typeof RunSchema> {
  const { steps_total: total, completed, failed, skipped, cancelled } = row;
  const open = Math.max(0, total - completed - failed - skipped - cancelled);
  const running = row.state === "running" ? open : 0;
  return {
    id: formatRunId(row.key),
    workflow: row.workflow,
    version: row.version,
    state: runStates[row.state],
    ...(row.error !== null && { error: { class: row.error.class, message: row.error.message } }),
    createdAt: timestampFromDate(taskKeyTime(BigInt(row.key))),
    ...(row.started_at !== null && { startedAt: timestampFromDate(row.started_at) }),
    ...(row.finished_at !== null && { finishedAt: timestampFromDate(row.finished_at) }),
    ...(row.deadline_at !== null && { deadlineAt: timestampFromDate(row.deadline_at) }),
    statistics: {
      total,
      completed,
      failed,
      skipped,
      cancelled,
      running,
      pending: open - running,
      ...(cost && {
        costNanos: BigInt(cost.cost_nanos),
        calls: BigInt(cost.calls),
        inputTokens: BigInt(cost.input_tokens),
        outputTokens: BigInt(cost.output_tokens),
        gpuMs: BigInt(cost.gpu_ms),
      }),
    },
    idempotencyKey: row.idempotency_key ?? "",
    labels: row.labels ?? {},
    parentRunId: row.parent_run_id === null ? "" : formatRunId(row.parent_run_id),
    cancelReason: row.stopping === "cancelled" ? (row.cancel_reason ?? "") : "",
  };
}

function objectOf(value: unknown): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : {};
}
