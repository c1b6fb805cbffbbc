import { createCoalescer } from "@drover/daemon/coalesce";
import type { Executor } from "@drover/db/client";
import { createDirectory } from "@drover/db/query/directory";
import { type NewTask, submit } from "@drover/db/query/submit";
import type { CarriedWaker } from "@drover/db/wake";
import type { Json } from "@drover/domain/json";
import { formatTaskKey } from "@drover/domain/task-id";

/** A task for a worker's handler. */
export interface WorkerTask {
  type: string;
  payload?: Json;
  class?: string;
  /** Higher runs sooner, -100 to 100. */
  priority?: number;
  delayMs?: number;
  timeoutSeconds?: number;
  retry?: { maxAttempts?: number; baseDelayMs?: number; maxDelayMs?: number; noRetryOn?: string[] };
  labels?: Record<string, string>;
}

export interface Submitter {
  /** Resolves with the task's id when it is durable; concurrent calls share a statement. */
  submit(task: WorkerTask): Promise<string>;
  /** All or none, in one transaction; ids in order. */
  submitAll(tasks: WorkerTask[]): Promise<string[]>;
}

export interface SubmitterOptions {
  db: Executor;
  waker?: CarriedWaker;
  namespace?: string;
  /** Who the events name as the one that did it. */
  actor?: string;
  /** How many statements of single submits may be under way at once. */
  maxInFlight?: number;
}

/** Submits tasks straight to Postgres. */
export function createSubmitter({
  db,
  waker,
  namespace = "default",
  actor = "sdk",
  maxInFlight = 2,
}: SubmitterOptions): Submitter {
  const directory = createDirectory({ db });
  const send = async (tasks: WorkerTask[]): Promise<string[]> => {
    const namespaceId = await directory.namespaceId(namespace);
    const rows = await Promise.all(tasks.map((task) => toRow(namespaceId, task)));
    const hints = [...new Set(tasks.map((task) => `class:${task.class ?? "cpu_short"}`))];
    const isCarried = waker?.take() ?? false;
    const keys = await submit(db, { namespaceId, actor }, rows, isCarried ? hints : []);
    if (!isCarried) for (const hint of hints) waker?.wake(hint);
    return keys.map((key) => formatTaskKey(BigInt(key)));
  };
  const toRow = async (namespaceId: number, task: WorkerTask): Promise<NewTask> => ({
    queueId: await directory.queueId({
      namespaceId,
      className: task.class ?? "cpu_short",
      executor: "worker",
      taskType: task.type,
    }),
    payload: task.payload === undefined ? undefined : JSON.stringify(task.payload),
    retry: task.retry && JSON.stringify(task.retry),
    labels: task.labels && JSON.stringify(task.labels),
    priority: task.priority,
    timeoutSeconds: task.timeoutSeconds,
    delayMs: task.delayMs,
  });
  return { submit: createCoalescer({ run: send, maxInFlight }), submitAll: send };
}
