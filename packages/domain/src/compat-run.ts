import { compatFacts, type CompatNode, compatNodes } from "./compat-workflow.ts";
import { asTexts } from "./compat-task.ts";
import type { Json } from "./json.ts";
import type { Definition, Graph, Step } from "./workflow/definition.ts";
import { isFinalRun, type RunState, type StepState } from "./workflow/lifecycle.ts";
import { viewOutput } from "./workflow/output.ts";

/** What the compatible interfaces are told of a run. */
export interface CompatRun {
  id: string;
  /** The workflow's name among ours, which is its id there. */
  workflow: string;
  version: number;
  state: RunState;
  error: { class: string; message: string } | null;
  input: Json;
  output: Json;
  idempotencyKey: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** A step that was reached. */
export interface CompatStep {
  number: number;
  state: StepState;
  attempt: number | null;
  hasTask: boolean;
  output: Json;
  error: { message: string } | null;
  startedAt: Date;
  finishedAt: Date | null;
}

/** A run as JSON over HTTP. `graph` is what it runs: the definition, or a body of it. */
export function compatRunRecord(
  run: CompatRun,
  { definition, graph }: { definition: Definition; graph: Graph },
  steps: readonly CompatStep[],
): { [key: string]: Json } {
  const reached = new Map(steps.map((step) => [step.number, step]));
  const nodes = new Map(compatNodes(definition).map((node) => [node.id, node]));
  const { name, version } = compatFacts({ id: run.workflow, number: run.version, definition });
  const isOver = isFinalRun(run.state);
  return {
    id: run.id,
    workflow_id: run.workflow,
    workflow_name: name,
    ...(version !== undefined && { workflow_version: version }),
    status: httpStatus(run.state),
    created_at: run.createdAt.toISOString(),
    updated_at: newest(run, steps).toISOString(),
    ...(run.finishedAt !== null && { completed_at: run.finishedAt.toISOString() }),
    steps: inOrder(graph).map(([number, step]) => stepRecord(step, nodes.get(step.id), reached.get(number), isOver)),
    ...(!isEmpty(run.input) && { input: run.input }),
    metadata: { node_count: graph.steps.length },
    ...(run.idempotencyKey !== null && { idempotency_key: run.idempotencyKey }),
  };
}

/** The state as gRPC says it; it knows neither cancellation nor partial completion. */
export function compatRunStatus(state: RunState): "pending" | "running" | "completed" | "failed" {
  return state === "pending" || state === "running" || state === "completed" ? state : "failed";
}

/** Why a run ended without success; empty for any other. */
export function compatRunError({ state, error }: Pick<CompatRun, "state" | "error">): string {
  if (compatRunStatus(state) !== "failed") return "";
  if (state === "cancelled") return `The run was cancelled${error?.message ? `: ${error.message}` : "."}`;
  return error?.message || error?.class || "The run failed.";
}

/** The output of a run as a map of texts. */
export function compatRunOutput(output: Json): Record<string, string> {
  const isFields = typeof output === "object" && output !== null && !Array.isArray(output);
  return asTexts(isFields ? output : { result: output });
}

function httpStatus(state: RunState): string {
  if (state === "completed") return "succeeded";
  return state === "partially_completed" ? "failed" : state;
}

function stepRecord(
  step: Step,
  node: CompatNode | undefined,
  row: CompatStep | undefined,
  isOver: boolean,
): { [key: string]: Json } {
  const type = node?.type ?? "custom";
  const record = { node_id: step.id, name: step.name ?? step.id, type, action: actionOf(step, type, node) };
  if (row === undefined) return { ...record, status: isOver ? "skipped" : "pending", attempts: 0 };
  const status = stepStatus(row.state);
  const isBegun = status !== "pending" && row.state !== "skipped";
  const result = row.output === null ? null : viewOutput(step.work, row.output);
  return {
    ...record,
    status,
    attempts: row.attempt ?? (isBegun && !row.hasTask ? 1 : 0),
    ...(isBegun && { started_at: row.startedAt.toISOString() }),
    ...(isBegun && row.finishedAt !== null && { completed_at: row.finishedAt.toISOString() }),
    ...(status === "succeeded" && result !== null && { result }),
    ...(row.error !== null && { error: row.error.message }),
  };
}

function actionOf(step: Step, type: string, node: CompatNode | undefined): { [key: string]: Json } {
  const config = node === undefined ? { kind: step.work.kind } : node[type];
  return { type, ...(config !== undefined && { [type]: config }) };
}

/** A step that was stopped because the run ended has no word of its own. */
function stepStatus(state: StepState): string {
  switch (state) {
    case "completed":
      return "succeeded";
    case "waiting":
      return "running";
    case "cancelled":
      return "skipped";
    default:
      return state;
  }
}

/** Steps with their numbers: what others need first, else by id. */
function inOrder(graph: Graph): [number, Step][] {
  const open = new Map(graph.steps.map((step) => [step.id, new Set((step.needs ?? []).map((edge) => edge.from))]));
  const followers = Map.groupBy(
    graph.steps.flatMap((step) => (step.needs ?? []).map((edge) => ({ from: edge.from, to: step.id }))),
    ({ from }) => from,
  );
  const place = new Map<string, number>();
  let ready = graph.steps.filter((step) => open.get(step.id)?.size === 0).map((step) => step.id);
  while (ready.length > 0) {
    const next: string[] = [];
    for (const id of ready.toSorted()) {
      place.set(id, place.size);
      for (const { to } of followers.get(id) ?? []) {
        const needs = open.get(to);
        if (needs?.delete(id) && needs.size === 0) next.push(to);
      }
    }
    ready = next;
  }
  return [...graph.steps.entries()].toSorted(([, a], [, b]) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
}

function newest(run: CompatRun, steps: readonly CompatStep[]): Date {
  if (run.finishedAt !== null) return run.finishedAt;
  const times = steps.flatMap((step) => [step.startedAt, step.finishedAt]);
  const known = [run.createdAt, run.startedAt, ...times].flatMap((time) => (time ? [time.getTime()] : []));
  return new Date(known.reduce((latest, time) => Math.max(latest, time), 0));
}

function isEmpty(input: Json): boolean {
  return typeof input === "object" && (input === null || Object.keys(input).length === 0);
}
