import { asc, eq, type SQL, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import { holder } from "../schema/holder.ts";
import { taskAttempt, taskLease } from "../schema/task.ts";
import { select } from "./select.ts";

export type TaskStateName = "waiting" | "pending" | "running" | "completed" | "failed" | "cancelled";

/** What every view of a task shows. Times are Date; keys are decimal bigints. */
export interface TaskRow {
  key: string;
  name: string | null;
  namespace: string;
  state: TaskStateName;
  class: string;
  class_id: number;
  queue_id: number;
  executor: "docker" | "process" | "llm" | "worker";
  type: string;
  priority: number;
  timeout_seconds: number;
  labels: Record<string, string> | null;
  retry: unknown;
  run_id: string | null;
  step_number: number | null;
  attempt: number;
  holder: string | null;
  started_at: Date | null;
  finished_at: Date | null;
  waiting_reason: string | null;
  waiting_until: Date | null;
  /** The limit or budget that it waits for. */
  blocker: string | null;
  cancel_requested: boolean;
  error: { class: string; message: string | null; details: unknown } | null;
}

/** A task with all that was handed in and came out. */
export interface TaskDetailRow extends TaskRow {
  payload: unknown;
  execution: unknown;
  result: unknown;
}

/** The keys that belong to ids which clients chose; ids without a task are missing from the map. */
export async function findKeys(
  db: Executor,
  namespaceId: number,
  names: readonly string[],
): Promise<Map<string, string>> {
  const rows = await db.run<{ key: string; task_id: string }>(sql`
    select key, task_id from drover.task_key
     where namespace_id = ${namespaceId} and kind = 'id' and key = any (${sql.param(names)}::text[])`);
  return new Map(rows.map((row) => [row.key, row.task_id]));
}

/** Tasks by key, in no order, without payload, execution and result. */
export function getTasks(db: Executor, namespaceId: number, keys: readonly string[]): Promise<TaskRow[]> {
  return db.run(sql`
    select ${overview}, f.error
      from drover.task t ${places}
     where t.id = any (${sql.param(keys)}::bigint[]) and t.namespace_id = ${namespaceId}`);
}

/** Tasks by key, in no order, with everything. */
export function getTaskDetails(db: Executor, namespaceId: number, keys: readonly string[]): Promise<TaskDetailRow[]> {
  return db.run(sql`
    select ${overview}, f.error, t.payload, t.execution, f.result
      from drover.task t ${places}
     where t.id = any (${sql.param(keys)}::bigint[]) and t.namespace_id = ${namespaceId}`);
}

export interface TaskFilter {
  states: readonly TaskStateName[];
  class?: string | undefined;
  labels?: Record<string, string> | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  /** Only tasks older than this key: the last one of the page before. */
  beforeKey?: string | undefined;
}

/** A page of tasks, newest first. Time bounds are bounds on the key, so that old partitions are never opened. */
export function listTasks(db: Executor, namespaceId: number, filter: TaskFilter, limit: number): Promise<TaskRow[]> {
  const conditions: SQL[] = [sql`t.namespace_id = ${namespaceId}`];
  if (filter.states.length > 0) {
    conditions.push(sql`(${sql.join(filter.states.map(inState), sql` or `)})`);
    // Open tasks are few beside what has ended: start from where they lie instead of walking the history.
    const open = filter.states.flatMap((state) => (state in openPlaces ? [openPlaces[state as OpenState]] : []));
    if (open.length === filter.states.length) conditions.push(sql`t.id in (${sql.join(open, sql` union all `)})`);
  }
  if (filter.class !== undefined) conditions.push(sql`c.name = ${filter.class}`);
  if (filter.labels !== undefined) conditions.push(sql`t.labels @> ${JSON.stringify(filter.labels)}::jsonb`);
  if (filter.createdAfter)
    conditions.push(sql`t.id >= drover.id_base(${filter.createdAfter.toISOString()}::timestamptz)`);
  if (filter.createdBefore)
    conditions.push(sql`t.id < drover.id_base(${filter.createdBefore.toISOString()}::timestamptz)`);
  if (filter.beforeKey !== undefined) conditions.push(sql`t.id < ${filter.beforeKey}::bigint`);
  return db.run(sql`
    select ${overview}, f.error
      from drover.task t ${places}
     where ${sql.join(conditions, sql` and `)}
     order by t.id desc
     limit ${limit}`);
}

export interface AttemptRow {
  attempt: number;
  holder: string | null;
  started_at: Date;
  finished_at: Date;
  outcome: "failed" | "lost" | "released";
  error: { class: string; message: string | null; details: unknown } | null;
}

/** The attempts of a task that did not end it, oldest first. */
export function listAttempts(db: Executor, key: string): Promise<AttemptRow[]> {
  const { attempt, started_at, finished_at, outcome, error } = taskAttempt;
  return db.run(
    select
      .select({ attempt, holder: sql`${holder.name}`.as("holder"), started_at, finished_at, outcome, error })
      .from(taskAttempt)
      .leftJoin(holder, eq(holder.id, taskAttempt.holder_id))
      .where(eq(taskAttempt.task_id, key))
      .orderBy(asc(taskAttempt.fence)),
  );
}

/** Moves a task to cancelled, or asks its holder to stop; the state afterwards, undefined when there is no such task. */
export async function cancelTask(
  db: Executor,
  key: string,
  reason: string,
  actor: string,
): Promise<{ state: TaskStateName; holderId: number | null } | undefined> {
  const [row] = await db.run<{ state: TaskStateName | null }>(
    sql`select drover.cancel_task(${key}, ${reason}, ${actor}) as state`,
  );
  if (row === undefined || row.state === null) return undefined;
  if (row.state !== "running") return { state: row.state, holderId: null };
  // A statement of its own: the one above began before a claim that it may have waited for.
  const { holder_id } = taskLease;
  const [lease] = await db.run<{ holder_id: number }>(
    select.select({ holder_id }).from(taskLease).where(eq(taskLease.task_id, key)),
  );
  return { state: row.state, holderId: lease?.holder_id ?? null };
}

/** Puts a failed or cancelled task back into its queue; its state afterwards, undefined when there is no such task. */
export async function redriveTask(
  db: Executor,
  key: string,
  actor: string,
): Promise<TaskStateName | "belongs_to_run" | undefined> {
  const [row] = await db.run<{ state: TaskStateName | "belongs_to_run" | null }>(
    sql`select drover.redrive_task(${key}, ${actor}) as state`,
  );
  return row?.state ?? undefined;
}

/** What `pending` waits for: how many are ahead, whether the class lets it start, who could run it. */
export async function pendingFacts(
  db: Executor,
  key: string,
): Promise<
  | { paused: boolean; concurrency_limit: number | null; running: string; live_holders: string; ahead: string }
  | undefined
> {
  const [row] = await db.run<{
    paused: boolean;
    concurrency_limit: number | null;
    running: string;
    live_holders: string;
    ahead: string;
  }>(sql`
    select c.paused_at is not null as paused, c.concurrency_limit,
           (select count(*) from drover.task_lease l where l.limited_class_id = c.id) as running,
           (select count(*) from drover.holder h join drover.holder_lease hl on hl.holder_id = h.id
             where hl.expires_at > now() and h.state = 'ready' and q.executor = any (h.executors)
               and (h.kind = 'worker' or coalesce((h.slots ->> c.name)::integer, 0) > 0)
               and (h.classes is null or c.name = any (h.classes))
               and (q.executor not in ('worker', 'llm') or q.task_type = any (h.task_types) or '*' = any (h.task_types))) as live_holders,
           (select count(*) from drover.task_ready r
             where r.queue_id = q.id and (r.sort_key, r.task_id) < (drover.sort_key(t.id, t.priority), t.id)) as ahead
      from drover.task t
      join drover.queue q on q.id = t.queue_id
      join drover.class c on c.id = q.class_id
     where t.id = ${key}`);
  return row;
}

const overview = sql`
  t.id as key, t.name, n.name as namespace, c.name as class, c.id as class_id, q.id as queue_id, q.executor, q.task_type as type,
  t.priority, t.timeout_seconds, t.labels, t.retry, t.run_id, t.step_number,
  case when f.task_id is not null then f.state
       when l.task_id is not null then 'running'
       when w.task_id is not null then 'waiting'
       else 'pending' end as state,
  coalesce(f.attempt, l.attempt, w.attempt, 0) as attempt,
  h.name as holder, coalesce(f.started_at, l.started_at) as started_at, f.finished_at,
  w.reason as waiting_reason, w.until_at as waiting_until, w.blocker, l.cancel_requested_at is not null as cancel_requested`;

const places = sql`
  join drover.queue q on q.id = t.queue_id
  join drover.class c on c.id = q.class_id
  join drover.namespace n on n.id = t.namespace_id
  left join drover.task_final f on f.task_id = t.id
  left join drover.task_lease l on l.task_id = t.id
  left join drover.task_waiting w on w.task_id = t.id
  left join drover.holder h on h.id = coalesce(f.holder_id, l.holder_id)`;

type OpenState = "waiting" | "pending" | "running";

const openPlaces: Record<OpenState, SQL> = {
  waiting: sql`select task_id from drover.task_waiting`,
  pending: sql`select task_id from drover.task_ready`,
  running: sql`select task_id from drover.task_lease`,
};

function inState(state: TaskStateName): SQL {
  switch (state) {
    case "waiting":
      return sql`w.task_id is not null`;
    case "running":
      return sql`l.task_id is not null`;
    case "pending":
      return sql`(f.task_id is null and l.task_id is null and w.task_id is null)`;
    case "completed":
    case "failed":
    case "cancelled":
      return sql`f.state = ${state}`;
  }
}
