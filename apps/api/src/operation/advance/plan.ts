import type { TakenRun } from "@drover/db/query/advance";
import type { NewRun } from "@drover/db/query/run-start";
import type { Json } from "@drover/domain/json";
import type { AdvanceAnswer, StepWrite } from "@drover/domain/workflow/engine/advance-answer";

/** What one transaction writes about all runs that it advances, in the form that drover.write_advance reads. */
export interface Plan {
  readonly content: PlanContent;
  /** For the waker, once it is committed. */
  readonly hints: Set<string>;
  /** Nested runs were started or ended: somebody has to look at once. */
  hasFollowUp: boolean;
  add(run: TakenRun, answer: AdvanceAnswer, units: PlannedUnits): void;
  /** How many nested runs of a root it begins. */
  begunUnder(rootRunId: string): number;
  /** Ends a run that the engine itself could not advance, so that it holds nobody up. */
  abandon(run: TakenRun, message: string): void;
}

export interface PlannedUnits {
  tasks: PlannedTask[];
  children: NewRun[];
}

/** A task with its queue; JSON as values. */
export interface PlannedTask {
  id: string;
  queue_id: number;
  class: string;
  /** A node has to be chosen for it. */
  isPlaced: boolean;
  payload: Json | undefined;
  execution: unknown;
  retry: unknown;
  priority: number;
  timeout: number | undefined;
  step: number;
  item: number;
  name: string | undefined;
}

interface PlanContent {
  tasks: unknown[];
  children: NewRun[];
  steps: unknown[];
  runs: unknown[];
  memory: unknown[];
  cancels: { task_id: string; reason: string }[];
  stops: { run_id: string; reason: string }[];
  ends: unknown[];
  events: { namespace_id: number; kind: string; run_ids: string[] }[];
}

/** An empty plan. */
export function createPlan(): Plan {
  const content: PlanContent = {
    tasks: [],
    children: [],
    steps: [],
    runs: [],
    memory: [],
    cancels: [],
    stops: [],
    ends: [],
    events: [],
  };
  const begun = new Map<string, number>();
  const tell = (namespaceId: number, kind: string, runId: string) => {
    const told = content.events.find((event) => event.namespace_id === namespaceId && event.kind === kind);
    if (told === undefined) content.events.push({ namespace_id: namespaceId, kind, run_ids: [runId] });
    else told.run_ids.push(runId);
  };
  const plan: Plan = {
    content,
    hints: new Set(),
    hasFollowUp: false,
    add({ run_id, run: { namespaceId } }, answer, { tasks, children }) {
      const reason = answer.cancelReason || "Its run ended.";
      for (const { class: className, isPlaced, ...task } of tasks) {
        content.tasks.push({ ...task, namespace_id: namespaceId, run_id });
        plan.hints.add(isPlaced ? "place" : `class:${className}`);
      }
      content.children.push(...children);
      for (const { root_run_id } of children) begun.set(root_run_id, (begun.get(root_run_id) ?? 0) + 1);
      content.steps.push(...answer.steps.map((write) => stepRow(run_id, write)));
      content.memory.push(...answer.memory.map((entry) => ({ ...entry, namespace_id: namespaceId })));
      content.cancels.push(...answer.cancels.map((task_id) => ({ task_id, reason: "Nobody waits for it any more." })));
      if (answer.stopsUnits) content.stops.push({ run_id, reason });
      const { total: _total, ...counts } = answer.counts;
      content.runs.push({
        run_id,
        ...counts,
        fields: answer.fields,
        mailbox: answer.mailbox,
        wake_at_ms: answer.wakeAtMs,
        stopping: answer.stopping,
        cancel_reason: answer.cancelReason,
      });
      if (answer.end !== undefined) {
        content.ends.push({ run_id, ...answer.end, is_stopped: answer.stopping !== undefined });
        tell(namespaceId, `run.${answer.end.state}`, run_id);
      } else tell(namespaceId, "run.advanced", run_id);
      plan.hasFollowUp ||= children.length > 0 || answer.end !== undefined || answer.stopsUnits;
    },
    begunUnder: (rootRunId) => begun.get(rootRunId) ?? 0,
    abandon({ run_id, run: { namespaceId } }, message) {
      const error = { class: "engine_fault", message };
      content.stops.push({ run_id, reason: message });
      content.ends.push({ run_id, state: "failed", output: null, error, is_stopped: true });
      tell(namespaceId, "run.failed", run_id);
      plan.hasFollowUp = true;
    },
  };
  return plan;
}

function stepRow(run_id: string, { number, item, state, exits, data, output, error, taskId, childRunId }: StepWrite) {
  return { run_id, number, item, state, exits, data, output, error, task_id: taskId, child_run_id: childRunId };
}
