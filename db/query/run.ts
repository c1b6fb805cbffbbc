import type { Json } from "@drover/domain/json";
import type { WaitingReason } from "@drover/domain/pending";
import type { RunState } from "@drover/domain/workflow/lifecycle";
import { eq, sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import { workflowRun } from "../schema/workflow.ts";
import type { StepFacts } from "./advance.ts";
import { select } from "./select.ts";

/** A run as every view of it shows it. Keys are decimal bigints. */
export interface RunRow {
  key: string;
  workflow: string;
  version: number;
  version_id: number;
  format: string;
  body: string | null;
  state: RunState;
  input: Json;
  output: Json;
  error: { class: string; message: string } | null;
  fields: Record<string, Json> | null;
  labels: Record<string, string> | null;
  idempotency_key: string | null;
  parent_run_id: string | null;
  root_run_id: string;
  started_at: Date | null;
  finished_at: Date | null;
  deadline_at: Date | null;
  cancel_reason: string | null;
  stopping: string | null;
  steps_total: number;
  completed: number;
  failed: number;
  skipped: number;
  cancelled: number;
}

const runs = sql`
  select w.id as key, n.name as workflow, v.number as version, w.version_id, v.format, w.body,
         coalesce(f.state, case when o.started_at is null then 'pending' else 'running' end) as state,
         w.input, f.output, f.error, coalesce(f.fields, o.fields) as fields, w.labels, w.idempotency_key, w.parent_run_id,
         w.root_run_id, coalesce(f.started_at, o.started_at) as started_at, f.finished_at, w.deadline_at, o.cancel_reason, o.stopping,
         coalesce(f.steps_total, o.steps_total) as steps_total, coalesce(f.completed, o.completed) as completed,
         coalesce(f.failed, o.failed) as failed, coalesce(f.skipped, o.skipped) as skipped,
         coalesce(f.cancelled, o.cancelled) as cancelled
    from drover.workflow_run w
    join drover.workflow_version v on v.id = w.version_id
    join drover.workflow n on n.id = w.workflow_id
    left join drover.run_open o on o.run_id = w.id
    left join drover.run_final f on f.run_id = w.id`;

/** A run by its key. */
export async function getRun(db: Executor, namespaceId: number, key: string): Promise<RunRow | undefined> {
  const [row] = await db.run<RunRow>(sql`${runs} where w.id = ${key} and w.namespace_id = ${namespaceId}`);
  return row;
}

/** Runs by their keys, in no order; nested ones are left out. */
export function getRootRuns(db: Executor, namespaceId: number, keys: readonly string[]): Promise<RunRow[]> {
  return db.run(sql`${runs}
     where w.id = any (${sql.param(keys)}::bigint[]) and w.namespace_id = ${namespaceId} and w.parent_run_id is null`);
}

/** The key of the run that an idempotency key of a workflow is bound to. */
export async function findKeyedRun(
  db: Executor,
  namespaceId: number,
  workflow: string,
  key: string,
): Promise<string | undefined> {
  const [row] = await db.run<{ run_id: string }>(sql`
    select k.run_id
      from drover.run_key k
      join drover.workflow w on w.id = k.workflow_id
     where w.namespace_id = ${namespaceId} and w.name = ${workflow} and k.key = ${key}`);
  return row?.run_id;
}

/** Which version of a workflow a run is of, and which body of it. */
export async function findRunPlace(
  db: Executor,
  key: string,
): Promise<{ version_id: number; body: string | null } | undefined> {
  const { version_id, body } = workflowRun;
  const [row] = await db.run<{ version_id: number; body: string | null }>(
    select.select({ version_id, body }).from(workflowRun).where(eq(workflowRun.id, key)),
  );
  return row;
}

/** How many runs are not final. */
export async function countOpenRuns(db: Executor): Promise<number> {
  const [row] = await db.run<{ count: string }>(sql`select count(*) as count from drover.run_open`);
  return Number(row?.count ?? 0);
}

export interface RunFilter {
  workflow?: string | undefined;
  states?: readonly string[];
  parentKey?: string | undefined;
  beforeKey?: string | undefined;
}

/** Runs, newest first; nested ones only of a parent. */
export function listRuns(db: Executor, namespaceId: number, filter: RunFilter, limit: number): Promise<RunRow[]> {
  const { workflow = null, states = [], parentKey = null, beforeKey = null } = filter;
  return db.run(sql`
    select * from (${runs}
     where w.namespace_id = ${namespaceId}
       and (${workflow}::text is null or n.name = ${workflow})
       and w.parent_run_id is not distinct from ${parentKey}::bigint
       and (${beforeKey}::bigint is null or w.id < ${beforeKey}::bigint)
     order by w.id desc) run
     where ${states.length === 0}::boolean or run.state = any (${sql.param(states)}::text[])
     limit ${limit}`);
}

/** A row of a step with its times and, where asked for, what it gave. */
export interface StepRow extends StepFacts {
  /** Stored as others see it, or raw: the task's result. */
  output: Json;
  is_stored: boolean;
  started_at: Date;
  finished_at: Date | null;
  task_name: string | null;
  attempt: number | null;
  /** Of its task, or of the first of its items' tasks, while that waits: for its next attempt, a limit, a budget. */
  waiting_reason?: WaitingReason | null;
  waiting_until?: Date | null;
  blocker?: string | null;
}

/** Rows of steps in order, from after a place; `items: false` for the steps' own rows only. */
export async function listSteps(
  db: Executor,
  runKey: string,
  options: {
    number?: number | undefined;
    items: boolean;
    after?: { number: number; item: number };
    limit: number;
    outputs: boolean;
  },
): Promise<StepRow[]> {
  const { number = null, items, after = { number: -1, item: -1 }, limit, outputs } = options;
  const rows = await db.run<{ step: StepFacts } & Omit<StepRow, keyof StepFacts>>(sql`
    select drover.step_json(s) as step, s.started_at, s.finished_at, t.name as task_name,
           coalesce(f.attempt, l.attempt, p.attempt) as attempt, s.output is not null as is_stored,
           p.reason as waiting_reason, p.until_at as waiting_until, p.blocker,
           case when ${outputs}::boolean then coalesce(s.output, f.result, c.output) end as output
      from drover.step s
      left join drover.task t on t.id = s.task_id
      left join drover.task_final f on f.task_id = s.task_id
      left join drover.task_lease l on l.task_id = s.task_id
      left join drover.run_final c on c.run_id = s.child_run_id
      left join lateral (
        select w.reason, w.until_at, w.blocker, w.attempt
          from drover.step i
          join drover.task_waiting w on w.task_id = i.task_id
         where s.state = 'running' and i.run_id = s.run_id and i.number = s.number and i.state = 'running'
           and (s.item = -1 or i.item = s.item)
         order by w.until_at
         limit 1) p on true
     where s.run_id = ${runKey}
       and (${number}::integer is null or s.number = ${number}::integer)
       and (${items}::boolean or s.item = -1)
       and (s.number, s.item) > (${after.number}::integer, ${after.item}::integer)
     order by s.number, s.item
     limit ${limit}`);
  return rows.map(({ step, ...rest }) => ({ ...step, ...rest }));
}

/** The steps' own rows of several runs, with what they gave, by run. */
export async function listStepsOfRuns(db: Executor, runKeys: readonly string[]): Promise<Map<string, StepRow[]>> {
  type Row = { run_id: string; step: StepFacts } & Omit<StepRow, keyof StepFacts>;
  const rows = await db.run<Row>(sql`
    select s.run_id, drover.step_json(s) as step, s.started_at, s.finished_at, t.name as task_name,
           coalesce(f.attempt, l.attempt, p.attempt) as attempt, coalesce(s.output, f.result, c.output) as output, s.output is not null as is_stored
      from drover.step s
      left join drover.task t on t.id = s.task_id
      left join drover.task_final f on f.task_id = s.task_id
      left join drover.task_lease l on l.task_id = s.task_id
      left join drover.task_waiting p on p.task_id = s.task_id
      left join drover.run_final c on c.run_id = s.child_run_id
     where s.run_id = any (${sql.param(runKeys)}::bigint[]) and s.item = -1
     order by s.run_id, s.number`);
  const byRun = Map.groupBy(rows, (row) => row.run_id);
  const flat = ({ run_id: _run, step, ...rest }: Row): StepRow => ({ ...step, ...rest });
  return new Map([...byRun].map(([key, group]) => [key, group.map(flat)]));
}

/** Numbers of the steps that are under way, the first ones. */
export async function listRunningSteps(db: Executor, runKey: string, limit: number): Promise<number[]> {
  const rows = await db.run<{ number: number }>(sql`
    select s.number
      from drover.step s
     where s.run_id = ${runKey} and s.item = -1 and s.state in ('running', 'waiting')
     order by s.number
     limit ${limit}`);
  return rows.map((row) => row.number);
}

/** Keys of runs by what a watcher sees of them: it changes with the run. */
export function runFaces(db: Executor, keys: readonly string[]): Promise<{ key: string; face: string }[]> {
  return db.run(sql`
    select w.id as key,
           coalesce(f.state, 'open') || ' ' || coalesce(o.xmin::text, '') || ' '
             || (select count(*) || ' ' || coalesce(max(s.xmin::text::bigint), 0) from drover.step s where s.run_id = w.id and s.item = -1)
             || ' ' || (select count(l.task_id) || ' ' || count(p.task_id)
                          from drover.step s
                          left join drover.task_lease l on l.task_id = s.task_id
                          left join drover.task_waiting p on p.task_id = s.task_id
                         where s.run_id = w.id and s.state = 'running') as face
      from drover.workflow_run w
      left join drover.run_open o on o.run_id = w.id
      left join drover.run_final f on f.run_id = w.id
     where w.id = any (${sql.param(keys)}::bigint[])`);
}
