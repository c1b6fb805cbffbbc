import { listNodes } from "@drover/db/query/node";
import { hasWorkerFor } from "@drover/db/query/queue";
import { findNewest } from "@drover/db/query/workflow-list";
import { submitFailed } from "@drover/db/query/submit";
import { describeFaults, executionRequired, parseExecution } from "@drover/domain/compat-execution";
import { withSlurmHints } from "@drover/domain/compat-slurm";
import { payloadFacts } from "@drover/domain/compat-task";
import { taskContext } from "@drover/domain/compat-workflow";
import { DroverError } from "@drover/domain/error";
import type { ExecutorName } from "@drover/domain/execution";
import type { Json } from "@drover/domain/json";
import { formatTaskKey, isReservedId } from "@drover/domain/task-id";
import type { Caller, Deps } from "./context.ts";
import type { DefinitionCache } from "./definition-cache.ts";
import { hashDraft } from "./request-hash.ts";
import { maxPayloadBytes, type SubmitTask } from "./submit-task.ts";
import { isCompatWorkflowId } from "./save-compat-workflow.ts";
import { storedPayload, type TaskDraft } from "./task-draft.ts";

/** A task as clients of the orchestrator describe it, with its payload decoded. */
export interface CompatDraft {
  /** Blank: the server makes one. */
  id: string;
  /** Blank: cpu_short. */
  class: string;
  payload: Record<string, Json>;
  priority: number;
  workflowId: string;
}

/** Accepts a task and answers its id; throws what `SubmitTask` throws. */
export type SubmitCompatTask = (caller: Caller, draft: CompatDraft) => Promise<string>;

export interface SubmitCompatTaskOptions {
  deps: Deps;
  submitTask: SubmitTask;
  definitions: DefinitionCache;
}

/**
 * Submits tasks whose payload says how to run them. One that names neither an execution nor a type that a live worker
 * serves, or whose execution cannot be read, is accepted and failed at once: its client polls until a task ends.
 */
export function createSubmitCompatTask({ deps, submitTask, definitions }: SubmitCompatTaskOptions): SubmitCompatTask {
  const isServed = createWorkerLookup(deps);
  const isImageRequired = createImageRule(deps);
  return async (caller, request) => {
    const namespaceId = await deps.directory.namespaceId(caller.namespace);
    const draft = await draftOf(deps, definitions, namespaceId, request);
    const parsed = parseExecution(request.payload);
    if (parsed.ok) {
      const hinted =
        draft.class === "gpu_slurm"
          ? withSlurmHints(parsed.execution, request.payload)
          : { execution: parsed.execution };
      if ("fault" in hinted) return refuse(deps, caller, draft, { executor: "docker", fault: hinted.fault });
      const runnable = { ...draft, execution: hinted.execution, timeoutSeconds: parsed.timeoutSeconds };
      if (parsed.execution.image === undefined && (await isImageRequired(namespaceId, draft.class))) {
        return refuse(deps, caller, runnable, { executor: "process", fault: imageRequired(draft.class) });
      }
      return (await submitTask.one(caller, runnable)).id;
    }
    const fault = describeFaults(parsed.faults);
    if (fault !== executionRequired) return refuse(deps, caller, draft, { executor: "docker", fault });
    const typed = { ...draft, type: taskTypeOf(request.payload) };
    if (await isServed(namespaceId, typed.type)) return (await submitTask.one(caller, typed)).id;
    return refuse(deps, caller, typed, { executor: "worker", fault });
  };
}

/** Remembers for a moment that a type is served, not that it is not: a worker that just came is seen at once. */
function createWorkerLookup({ db }: Deps, rememberMs = 2000) {
  const servedUntil = new Map<string, number>();
  return async (namespaceId: number, type: string): Promise<boolean> => {
    const key = `${namespaceId}/${type}`;
    if ((servedUntil.get(key) ?? 0) > performance.now()) return true;
    const isServed = await hasWorkerFor(db, namespaceId, type);
    // Types come from clients: the memory of them stays bounded.
    if (servedUntil.size > 10_000) servedUntil.clear();
    if (isServed) servedUntil.set(key, performance.now() + rememberMs);
    return isServed;
  };
}

function imageRequired(className: string): string {
  return `payload.execution.image is required: class ${className} has no default image, and no node runs processes`;
}

/**
 * Whether nothing could run a task without an image: its class has none to offer, and among the nodes that ever came
 * none runs processes, which operators have to enable. Where no node has come yet, one may.
 */
function createImageRule({ db, directory }: Deps, rememberMs = 2000) {
  let remembered: { until: number; isWithoutProcesses: boolean } | undefined;
  return async (namespaceId: number, className: string): Promise<boolean> => {
    const { defaultImage } = await directory.class(namespaceId, className);
    if (defaultImage !== undefined) return false;
    if (remembered !== undefined && remembered.until > performance.now()) return remembered.isWithoutProcesses;
    const nodes = await listNodes(db);
    const isWithoutProcesses = nodes.length > 0 && nodes.every((node) => !node.executors.includes("process"));
    remembered = { until: performance.now() + rememberMs, isWithoutProcesses };
    return isWithoutProcesses;
  };
}

async function draftOf(
  { db, directory }: Deps,
  definitions: DefinitionCache,
  namespaceId: number,
  request: CompatDraft,
): Promise<TaskDraft> {
  const payload = withWorkflow(request);
  const { workflow_id: workflow } = payloadFacts(payload);
  return {
    id: checkId(request.id.trim()) || undefined,
    class: await classOf(directory, namespaceId, request.class.trim() || "cpu_short"),
    type: "",
    payload,
    added: workflow === undefined ? undefined : await contextOf(db, definitions, namespaceId, workflow),
    priority: Math.max(-100, Math.min(100, request.priority)),
    // These clients see the first failure as the end of the task. Leases that are lost are handed on all the same.
    retry: { maxAttempts: 1 },
    labels: workflow !== undefined && workflow.length <= 200 ? { workflow_id: workflow } : undefined,
  };
}

/** What a task that names a workflow is told of it; nothing where there is none of that name. */
async function contextOf(db: Deps["db"], definitions: DefinitionCache, namespaceId: number, workflow: string) {
  const newest = isCompatWorkflowId(workflow) ? await findNewest(db, namespaceId, workflow) : undefined;
  return newest && taskContext((await definitions(db, newest.version_id)).definition);
}

function checkId(id: string): string {
  const fault =
    id.length > 200
      ? `expected at most 200 characters, got ${id.length}`
      : id.includes("\0") || !id.isWellFormed()
        ? "expected text without NUL and broken surrogates"
        : isReservedId(id)
          ? `expected an id of your own choice, got "${id}", which has the form of ids that the server makes`
          : undefined;
  if (fault === undefined) return id;
  throw new DroverError("invalid", `id: ${fault}.`, { fields: [{ field: "id", message: fault }] });
}

const aliases: Readonly<Record<string, string>> = { gpu_short: "gpu", gpu_long: "gpu" };

async function classOf(directory: Deps["directory"], namespaceId: number, name: string): Promise<string> {
  const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
  if (alias === undefined) return name;
  try {
    await directory.class(namespaceId, name);
    return name;
  } catch (error) {
    if (error instanceof DroverError && error.reason === "invalid") return alias;
    throw error;
  }
}

/** The payload's own workflow_id counts before the one beside it. */
function withWorkflow({ payload, workflowId }: CompatDraft): Record<string, Json> {
  const isNamed = payloadFacts(payload).workflow_id !== undefined;
  return isNamed || workflowId === "" ? payload : { ...payload, workflow_id: workflowId };
}

function taskTypeOf(payload: Readonly<Record<string, Json>>): string {
  const type = payload["task_type"] ?? "default";
  return (typeof type === "object" ? "" : String(type).trim().slice(0, 200)) || "default";
}

/** Records the task as failed from the start; repeating the submit changes nothing. */
async function refuse(
  { db, directory }: Deps,
  caller: Caller,
  draft: TaskDraft,
  { executor, fault }: { executor: ExecutorName; fault: string },
): Promise<string> {
  const namespaceId = await directory.namespaceId(caller.namespace);
  const queueId = await directory.queueId({ namespaceId, className: draft.class, executor, taskType: draft.type });
  const payload = JSON.stringify(storedPayload(draft));
  if (Buffer.byteLength(payload) > maxPayloadBytes) {
    const message = `expected at most ${maxPayloadBytes} bytes of JSON, got ${Buffer.byteLength(payload)}`;
    throw new DroverError("invalid", `payload: ${message}.`, { fields: [{ field: "payload", message }] });
  }
  const answer = await submitFailed(
    db,
    { namespaceId, actor: caller.actor },
    {
      queueId,
      payload,
      name: draft.id ?? null,
      requestHash: hashDraft(draft),
      error: JSON.stringify({ class: "invalid_execution", message: fault, details: null }),
    },
  );
  if (answer === undefined) throw new Error("drover.submit_failed returned no row");
  if (answer.verdict === "conflict") {
    throw new DroverError("conflict", `Id "${draft.id}" was used before with a different body.`, {
      hint: "Repeat a submit with exactly the same body, or choose a new id for a new task.",
    });
  }
  return draft.id ?? formatTaskKey(BigInt(answer.task_id));
}
