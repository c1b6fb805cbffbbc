import { createCoalescer } from "@drover/daemon/coalesce";
import { countPending } from "@drover/db/query/class";
import { type NewNamedTask, type NewTask, submit, submitNamed } from "@drover/db/query/submit";
import { DroverError } from "@drover/domain/error";
import { isPlacedQueue, queueTypeOf } from "@drover/domain/placed-task";
import { formatTaskKey, isReservedId } from "@drover/domain/task-id";
import { chooseExecutor } from "./choose-executor.ts";
import type { Caller, Deps } from "./context.ts";
import { hashDraft } from "./request-hash.ts";
import { storedPayload, type TaskDraft } from "./task-draft.ts";

export interface Submitted {
  id: string;
  created: boolean;
}

export interface SubmitTask {
  /** Resolves when the task is durable. Concurrent calls share a statement. */
  one(caller: Caller, draft: TaskDraft): Promise<Submitted>;
  /** Each item gets its own verdict; those that are accepted are accepted together. */
  many(caller: Caller, drafts: (TaskDraft | DroverError)[]): Promise<(Submitted | DroverError)[]>;
}

export const maxPayloadBytes = 256 * 1024;

/** Submits tasks: validate, resolve the queue, insert, wake. Repeating a submit with the same id or key is harmless. */
export function createSubmitTask(deps: Deps): SubmitTask {
  const { db, directory, waker } = deps;

  const insert = async (items: Prepared[]): Promise<(Submitted | DroverError)[]> => {
    const answers: (Submitted | DroverError)[] = Array.from({ length: items.length });
    for (const group of groupBy(items, (item) => `${item.namespaceId} ${item.actor}`)) {
      const [first] = group;
      if (first === undefined) continue;
      const context = { namespaceId: first.item.namespaceId, actor: first.item.actor };
      const plain = group.filter(({ item }) => !isNamed(item.row));
      const named = group.flatMap(({ item, index }) => (isNamed(item.row) ? [{ item, row: item.row, index }] : []));
      if (plain.length > 0) {
        const rows = plain.map(({ item }) => item.row);
        const hints = hintsOf(plain.map(({ item }) => item));
        const isCarried = waker.take();
        const keys = await submit(db, context, rows, isCarried ? hints : []);
        if (!isCarried) hints.forEach(waker.wake);
        plain.forEach(
          ({ index }, n) => (answers[index] = { id: formatTaskKey(BigInt(keys[n] ?? "0")), created: true }),
        );
      }
      if (named.length > 0) {
        const verdicts = await submitNamed(
          db,
          context,
          named.map(({ row }) => row),
        );
        named.forEach(({ row, index }, n) => (answers[index] = judge(row, verdicts[n])));
        hintsOf(named.map(({ item }) => item)).forEach(waker.wake);
      }
    }
    return answers;
  };
  const coalesced = createCoalescer({ run: insert, maxItems: 1000, maxInFlight: 2 });

  return {
    async one(caller, draft) {
      const answer = await coalesced(await prepare(directory, db, caller, draft));
      if (answer instanceof DroverError) throw answer;
      return answer;
    },
    async many(caller, drafts) {
      const prepared = await Promise.all(
        drafts.map(async (draft) =>
          draft instanceof DroverError
            ? draft
            : prepare(directory, db, caller, draft).catch((error: unknown) => refusal(error)),
        ),
      );
      const accepted = prepared.filter((item): item is Prepared => !(item instanceof DroverError));
      const answers = await insert(accepted);
      let next = 0;
      return prepared.map((item) =>
        item instanceof DroverError ? item : (answers[next++] as Submitted | DroverError),
      );
    },
  };
}

interface Prepared {
  namespaceId: number;
  actor: string;
  className: string;
  /** A node has to be chosen for it. */
  isPlaced: boolean;
  row: NewTask | NewNamedTask;
}

async function prepare(
  directory: Deps["directory"],
  db: Deps["db"],
  caller: Caller,
  draft: TaskDraft,
): Promise<Prepared> {
  const namespaceId = await directory.namespaceId(caller.namespace);
  const { id: classId, defaultImage, depthLimit } = await directory.class(namespaceId, draft.class);
  if (depthLimit !== undefined && (await countPending(db, classId, depthLimit)) >= depthLimit) {
    throw new DroverError("overloaded", `Class ${draft.class} holds its limit of ${depthLimit} pending tasks.`, {
      hint: "Submit again later, or raise the depth limit of the class.",
      retryAfterMs: 1000,
    });
  }
  const payload = JSON.stringify(storedPayload(draft));
  if (payload.length > maxPayloadBytes && Buffer.byteLength(payload) > maxPayloadBytes) {
    throw invalid(
      "payload",
      `expected at most ${maxPayloadBytes} bytes of JSON, got ${Buffer.byteLength(payload)}; put large data into a file or a bucket and name it here`,
    );
  }
  const { executor, execution } = chooseExecutor(draft, defaultImage);
  if (executor === "worker" && draft.type === "")
    throw invalid("type", "expected a task type, or an execution; got neither");
  const taskType = queueTypeOf(executor, draft.type, execution);
  const row: NewTask = {
    queueId: await directory.queueId({ namespaceId, className: draft.class, executor, taskType }),
    payload: draft.payload === null ? undefined : payload,
    execution: execution && JSON.stringify(execution),
    retry: draft.retry && JSON.stringify(draft.retry),
    labels: draft.labels && Object.keys(draft.labels).length > 0 ? JSON.stringify(draft.labels) : undefined,
    priority: draft.priority === 0 ? undefined : draft.priority,
    timeoutSeconds: draft.timeoutSeconds,
    delayMs: draft.delayMs,
  };
  const isPlaced = isPlacedQueue(executor, taskType);
  const prepared = { namespaceId, actor: caller.actor, className: draft.class, isPlaced, row };
  if (!draft.id && !draft.idempotencyKey) return prepared;
  if (draft.id && isReservedId(draft.id)) {
    throw invalid(
      "id",
      `expected an id of your own choice, got "${draft.id}", which has the form of ids that the server makes`,
    );
  }
  return {
    ...prepared,
    row: {
      ...row,
      name: draft.id || undefined,
      idempotencyKey: draft.idempotencyKey || undefined,
      requestHash: hashDraft(draft),
    },
  };
}

function hintsOf(items: Prepared[]): string[] {
  // Nobody may claim what is to be placed before it is.
  return [...new Set(items.map((item) => (item.isPlaced ? "place" : `class:${item.className}`)))];
}

function invalid(field: string, message: string): DroverError {
  return new DroverError("invalid", `${field}: ${message}.`, { fields: [{ field, message }] });
}

function refusal(error: unknown): DroverError {
  if (error instanceof DroverError && error.reason !== "unavailable") return error;
  throw error;
}

function isNamed(row: NewTask | NewNamedTask): row is NewNamedTask {
  return "requestHash" in row;
}

function judge(row: NewNamedTask, verdict: { task_id: string; verdict: string } | undefined): Submitted | DroverError {
  if (verdict === undefined) throw new Error("drover.submit_named returned fewer rows than it was given");
  const id = row.name ?? formatTaskKey(BigInt(verdict.task_id));
  if (verdict.verdict !== "conflict") return { id, created: verdict.verdict === "created" };
  const what = row.name === undefined ? `Idempotency key "${row.idempotencyKey}"` : `Id "${row.name}"`;
  return new DroverError("conflict", `${what} was used before with a different body.`, {
    hint: "Repeat a submit with exactly the same body, or choose a new id for a new task.",
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): { item: T; index: number }[][] {
  const groups = new Map<string, { item: T; index: number }[]>();
  for (const [index, item] of items.entries()) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [{ item, index }]);
    else group.push({ item, index });
  }
  return [...groups.values()];
}
