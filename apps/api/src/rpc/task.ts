import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { getTaskDetails, listAttempts, listTasks, type TaskFilter, type TaskStateName } from "@drover/db/query/task";
import { findRunPlace } from "@drover/db/query/run";
import { DroverError } from "@drover/domain/error";
import { decodePageToken, encodePageToken } from "@drover/domain/page-token";
import { graphAt } from "@drover/domain/workflow/graph-index";
import {
  type ListTasksRequest,
  SubmitVerdictSchema,
  type TaskService,
  TaskSpecSchema,
  type TaskState,
} from "@drover/proto/drover/task";
import { cancelTask } from "../operation/cancel-task.ts";
import type { Deps } from "../operation/context.ts";
import type { DefinitionCache } from "../operation/definition-cache.ts";
import { findTaskKey, findTaskKeys, taskNotFound } from "../operation/find-task.ts";
import { retryTask } from "../operation/retry-task.ts";
import type { SubmitTask } from "../operation/submit-task.ts";
import type { TaskWatch } from "../watch/task.ts";
import { callerOf } from "./caller.ts";
import { readLogs } from "./task-log.ts";
import { pendingOf } from "./task-pending.ts";
import { stateNumbers, taskDetailMessage, taskMessage } from "./task-message.ts";
import { draftOf } from "./task-spec.ts";
import type { Validation } from "./validate.ts";

export interface TaskServiceOptions {
  deps: Deps;
  submitTask: SubmitTask;
  watch: TaskWatch;
  definitions: DefinitionCache;
  /** Judges the items of a batch one by one. */
  faults: Validation["faults"];
}

/** drover.v1.TaskService. */
export function taskService({
  deps,
  submitTask,
  watch,
  definitions,
  faults,
}: TaskServiceOptions): ServiceImpl<typeof TaskService> {
  const { db, directory } = deps;
  return {
    async submitTask(request, context) {
      if (request.task === undefined) throw new DroverError("invalid", "Expected a task, got none.");
      return submitTask.one(callerOf(context), draftOf(request.task));
    },

    async submitTasks(request, context) {
      const drafts = request.tasks.map((spec) => {
        const found = faults(TaskSpecSchema, spec);
        const message = found.map((fault) => `${fault.field}: ${fault.message}`).join("; ");
        return found.length > 0 ? new DroverError("invalid", message, { fields: found }) : draftOf(spec);
      });
      const answers = await submitTask.many(callerOf(context), drafts);
      return {
        verdicts: answers.map((answer, index) =>
          create(
            SubmitVerdictSchema,
            answer instanceof DroverError
              ? { id: request.tasks[index]?.id ?? "", fault: { reason: answer.reason, message: answer.message } }
              : answer,
          ),
        ),
      };
    },

    async getTask({ id }, context) {
      const caller = callerOf(context);
      const key = await findTaskKey(deps, caller, id);
      const [row] = await getTaskDetails(db, await directory.namespaceId(caller.namespace), [key]);
      if (row === undefined) throw taskNotFound(id);
      const task = taskDetailMessage(row, await listAttempts(db, key));
      if (row.run_id !== null) task.step = await stepIdOf(deps, definitions, row.run_id, row.step_number);
      const pending = await pendingOf(deps.db, row);
      return { task: pending === undefined ? task : Object.assign(task, { pending }) };
    },

    async listTasks(request, context) {
      const namespaceId = await directory.namespaceId(callerOf(context).namespace);
      const size = request.pageSize || 100;
      const shape = filterShape(request);
      const filter: TaskFilter = {
        states: request.states.map(stateName),
        class: request.class || undefined,
        labels: Object.keys(request.labels).length > 0 ? request.labels : undefined,
        createdAfter: request.createdAfter && timestampDate(request.createdAfter),
        createdBefore: request.createdBefore && timestampDate(request.createdBefore),
        beforeKey: request.pageToken === "" ? undefined : decodePageToken(request.pageToken, shape)["key"],
      };
      const rows = await listTasks(db, namespaceId, filter, size + 1);
      const page = rows.slice(0, size);
      const last = page.at(-1);
      return {
        tasks: page.map(taskMessage),
        nextPageToken: rows.length > size && last !== undefined ? encodePageToken({ key: last.key }, shape) : "",
      };
    },

    async *watchTasks({ ids }, context) {
      const caller = callerOf(context);
      const keys = await findTaskKeys(deps, caller, ids);
      for (const id of ids) if (!keys.has(id)) throw taskNotFound(id);
      const namespaceId = await directory.namespaceId(caller.namespace);
      for await (const row of watch.follow(namespaceId, [...new Set(keys.values())], context.signal))
        yield { task: taskMessage(row) };
    },

    async cancelTask({ id, reason }, context) {
      return { state: stateNumbers[await cancelTask(deps, callerOf(context), id, reason)] };
    },

    async retryTask({ id }, context) {
      return { state: stateNumbers[await retryTask(deps, callerOf(context), id)] };
    },

    async *getTaskLogs(request, context) {
      const caller = callerOf(context);
      const key = await findTaskKey(deps, caller, request.id);
      const namespaceId = await directory.namespaceId(caller.namespace);
      const since = request.since ? timestampDate(request.since).getTime() : 0;
      const options = {
        key,
        namespaceId,
        follow: request.follow,
        tail: request.tail,
        sinceMs: since,
        signal: context.signal,
      };
      for await (const lines of readLogs(deps, options)) {
        yield { lines: lines.map(({ atMs, ...line }) => ({ ...line, time: timestampFromMs(atMs) })) };
      }
    },
  };
}

async function stepIdOf({ db }: Deps, definitions: DefinitionCache, runKey: string, number: number | null) {
  const place = await findRunPlace(db, runKey);
  if (place === undefined || number === null) return "";
  const { definition } = await definitions(db, place.version_id);
  return graphAt(definition, place.body)?.steps[number]?.id ?? "";
}

/** What a page token is bound to: everything of the request but the page itself. */
function filterShape(request: ListTasksRequest) {
  return {
    states: request.states.toSorted((a, b) => a - b),
    class: request.class,
    labels: Object.entries(request.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    after: String(request.createdAfter?.seconds ?? ""),
    before: String(request.createdBefore?.seconds ?? ""),
  };
}

function stateName(state: TaskState): TaskStateName {
  for (const [name, number] of Object.entries(stateNumbers)) if (number === state) return name as TaskStateName;
  throw new DroverError("invalid", `Expected a task state, got ${state}.`);
}
