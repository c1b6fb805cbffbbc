import type { Executor } from "@drover/db/client";
import { countNestedRuns, type TakenRun } from "@drover/db/query/advance";
import type { NewRun } from "@drover/db/query/run-start";
import { findVersion } from "@drover/db/query/workflow";
import { taskContext } from "@drover/domain/compat-workflow";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { isPlacedQueue, queueTypeOf } from "@drover/domain/placed-task";
import { formatRunId } from "@drover/domain/run-id";
import type { AdvanceAnswer, ChildStart, TaskStart } from "@drover/domain/workflow/engine/advance-answer";
import type { StepError } from "@drover/domain/workflow/engine/advance-question";
import type { Definition } from "@drover/domain/workflow/definition";
import { graphAt, stepAt } from "@drover/domain/workflow/graph-index";
import { rowKey } from "@drover/domain/workflow/engine/sheet";
import { stepBudgets } from "@drover/domain/workflow/step-budget";
import { isLargerThan } from "@drover/domain/workflow/size";
import { maxTaskBytes } from "@drover/domain/workflow/engine/task-for";
import type { PlannedTask, PlannedUnits } from "./plan.ts";
import type { Deps } from "../context.ts";
import type { KnownVersion } from "../definition-cache.ts";
import { chooseExecutor } from "../choose-executor.ts";
import { checkInput, initialFields, workflowNotFound } from "../start-run.ts";

/** Finds queues for tasks and versions for nested runs; what cannot be started is refused, by the key of its row. */
export type UnitResolver = (
  tx: Executor,
  run: TakenRun,
  version: KnownVersion,
  answer: AdvanceAnswer,
  /** Nested runs that this transaction begins already, by the run that they all come from. */
  begun: (rootRunId: string) => number,
) => Promise<PlannedUnits & { refused: Map<string, StepError> }>;

export interface UnitResolverOptions {
  deps: Pick<Deps, "directory">;
  /** How many nested runs may come from one run, about: what begins at the same moment elsewhere is not counted yet. */
  maxNestedRuns: number;
}

/** A resolver over the directory of classes and queues. */
export function createUnitResolver({ deps, maxNestedRuns }: UnitResolverOptions): UnitResolver {
  const versions = createVersionFinder();
  const counts = createRunCounter();
  return async (tx, run, version, answer, begun) => {
    const refused = new Map<string, StepError>();
    const { rootRunId } = run.run;
    const room = answer.children.length === 0 ? 0 : maxNestedRuns - begun(rootRunId) - (await counts(tx, rootRunId));
    for (const { number, item } of answer.children.slice(Math.max(0, room))) {
      refused.set(rowKey(number, item), {
        class: "too_many_runs",
        message: `Expected at most ${maxNestedRuns} nested runs of one run, got more; does it start itself?`,
      });
    }
    const tasks: PlannedTask[] = [];
    const children: NewRun[] = [];
    const guard = async (unit: { number: number; item: number }, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof DroverError) || error.reason === "unavailable" || error.reason === "internal")
          throw error;
        const hint = error.facts.hint === undefined ? "" : ` ${error.facts.hint}`;
        refused.set(rowKey(unit.number, unit.item), { class: "invalid_execution", message: error.message + hint });
      }
    };
    for (const task of answer.tasks) {
      await guard(task, async () => void tasks.push(await planTask(deps, run, version, task)));
    }
    for (const child of answer.children) {
      await guard(
        child,
        async () => void children.push(await planChild(versions(tx), run, version, child, answer.fields)),
      );
    }
    return { tasks, children, refused };
  };
}

type FindVersion = (...place: [number, string, number | undefined]) => ReturnType<typeof findVersion>;

/** How many there were before a transaction, asked once in each. */
function createRunCounter(): (tx: Executor, rootRunId: string) => Promise<number> {
  const known = new WeakMap<Executor, Map<string, Promise<number>>>();
  return (tx, rootRunId) => {
    const counts = known.get(tx) ?? new Map<string, Promise<number>>();
    known.set(tx, counts);
    const count = counts.get(rootRunId) ?? countNestedRuns(tx, rootRunId);
    counts.set(rootRunId, count);
    return count;
  };
}

/** What is found stays found for the rest of a transaction: a map over thousands of items starts as many runs of one version. */
function createVersionFinder(): (tx: Executor) => FindVersion {
  const found = new WeakMap<Executor, Map<string, ReturnType<typeof findVersion>>>();
  return (tx) => {
    const known = found.get(tx) ?? new Map<string, ReturnType<typeof findVersion>>();
    found.set(tx, known);
    return (...place) => {
      const key = JSON.stringify(place);
      const row = known.get(key) ?? findVersion(tx, ...place);
      known.set(key, row);
      return row;
    };
  };
}

async function planTask(
  { directory }: Pick<Deps, "directory">,
  { run_id, run }: TakenRun,
  { format, definition }: KnownVersion,
  task: TaskStart,
): Promise<PlannedTask> {
  const { namespaceId } = run;
  const { defaultImage } = await directory.class(namespaceId, task.class);
  const chosen = task.call === undefined ? chooseExecutor(task, defaultImage) : { executor: "llm" as const };
  const { executor, execution } = { execution: undefined, ...chosen };
  const taskType = queueTypeOf(executor, task.type, execution);
  const step = stepAt(graphAt(definition, run.body) ?? definition, task.number);
  return {
    id: task.id,
    queue_id: await directory.queueId({ namespaceId, className: task.class, executor, taskType }),
    class: task.class,
    isPlaced: isPlacedQueue(executor, taskType),
    payload: withContext(definition, task) ?? undefined,
    execution: task.call ?? execution,
    retry: task.retry,
    priority: task.priority,
    timeout: task.timeoutSeconds,
    step: task.number,
    item: task.item,
    // Existing clients of that format look for the task of a step under this id.
    name: format === "dspy" && task.item === -1 ? `${formatRunId(run_id)}-${step.id}` : undefined,
  };
}

/** The payload, with what the format promises its runners to be told of the whole workflow. */
function withContext(definition: Definition, { payload, call }: TaskStart): Json {
  const isFields = typeof payload === "object" && payload !== null && !Array.isArray(payload);
  if (definition.context === undefined || call !== undefined || !isFields) return payload;
  const told = { ...taskContext(definition), ...payload };
  if (!isLargerThan(told, maxTaskBytes)) return told;
  throw new DroverError(
    "invalid",
    `The task would carry more than ${maxTaskBytes} bytes with its workflow's nodes and edges.`,
  );
}

async function planChild(
  find: FindVersion,
  taken: TakenRun,
  version: KnownVersion,
  child: ChildStart,
  fields: Record<string, Json> | undefined,
): Promise<NewRun> {
  const { run_id, run, open } = taken;
  const common = {
    id: child.id,
    namespace_id: run.namespaceId,
    root_run_id: run.rootRunId,
    parent_run_id: run_id,
    parent_step: child.number,
    parent_item: child.item,
    depth: run.depth + 1,
    actor: "engine",
    deadline_ms: child.deadlineMs,
  };
  if (child.workflow === undefined) {
    const step = stepAt(graphAt(version.definition, run.body) ?? version.definition, child.number);
    const body = run.body === null ? step.id : `${run.body}/${step.id}`;
    const graph = graphAt(version.definition, body);
    return {
      ...common,
      workflow_id: run.workflowId,
      version_id: run.versionId,
      body,
      input: child.input,
      steps_total: graph?.steps.length ?? 0,
      step_budgets: graph && stepBudgets(graph),
      // As this advance leaves them.
      fields: fields ?? open.fields ?? undefined,
    };
  }
  const { name, version: number } = child.workflow;
  const row = await find(run.namespaceId, name, number);
  if (row === undefined) throw workflowNotFound(name, number);
  const { definition } = row;
  const input = checkInput(definition, child.input);
  const ownMs = definition.timeoutSeconds === undefined ? Infinity : taken.now_ms + definition.timeoutSeconds * 1000;
  const deadlineMs = Math.min(child.deadlineMs ?? Infinity, ownMs);
  return {
    ...common,
    workflow_id: row.workflow_id,
    version_id: row.version_id,
    input,
    deadline_ms: deadlineMs === Infinity ? undefined : deadlineMs,
    steps_total: definition.steps.length,
    fields: initialFields(definition, input),
    budget_nanos: definition.budgetNanos,
    step_budgets: stepBudgets(definition),
  };
}
