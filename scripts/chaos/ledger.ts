import postgres from "postgres";

/** Looks at the tables themselves, as no client can. */
export interface Ledger extends AsyncDisposable {
  sql: postgres.Sql;
  /** How many tasks are in each place. */
  counts(): Promise<{ task: number; ready: number; waiting: number; lease: number; final: number; completed: number }>;
  /** What breaks an invariant; empty when all is well. */
  faults(): Promise<string[]>;
  /** The task's lease and its holder's name; undefined while nobody has it. */
  lease(id: string): Promise<{ fence: bigint; attempt: number; holder: string; startedAt: Date } | undefined>;
  final(
    id: string,
  ): Promise<{ state: string; attempt: number; holder: string | null; error: { class: string } | null } | undefined>;
  /** Attempts that did not end the task, in order. */
  attempts(id: string): Promise<{ outcome: string; holder: string; fence: bigint; class: string }[]>;
}

/** Opens a ledger; asks again by itself where the server was away. */
export function openLedger(url: string): Ledger {
  const sql = postgres(url, { max: 2, onnotice: () => undefined, connection: { application_name: "ledger" } });
  return {
    sql,
    async counts() {
      const [row] = await sql<Record<string, number>[]>`
        select (select count(*)::integer from drover.task) as task,
               (select count(*)::integer from drover.task_ready) as ready,
               (select count(*)::integer from drover.task_waiting) as waiting,
               (select count(*)::integer from drover.task_lease) as lease,
               (select count(*)::integer from drover.task_final) as final,
               (select count(*)::integer from drover.task_final where state = 'completed') as completed`;
      return row as Awaited<ReturnType<Ledger["counts"]>>;
    },
    async faults() {
      // In one statement, so that what moves meanwhile is seen in one place.
      const rows = await sql<{ fault: string }[]>`
        with fact as (
          select id as task_id, 'task' as kind from drover.task
          union all select task_id, 'ready' from drover.task_ready
          union all select task_id, 'waiting' from drover.task_waiting
          union all select task_id, 'lease' from drover.task_lease
          union all select task_id, 'final' from drover.task_final
          union all select task_id, 'completed' from drover.task_final where state = 'completed'
          union all select unnest(task_ids), kind from drover.event where kind in ('task.submitted', 'task.completed')
        ), tally as (
          select task_id,
                 count(*) filter (where kind = 'task') as tasks,
                 count(*) filter (where kind in ('ready', 'waiting', 'lease', 'final')) as places,
                 count(*) filter (where kind = 'task.submitted') as submitted,
                 count(*) filter (where kind = 'completed') as completed,
                 count(*) filter (where kind = 'task.completed') as told_completed
            from fact group by task_id
        )
        select format('task %s: %s', task_id, to_json(tally)) as fault
          from tally where (tasks, places, submitted) <> (1, 1, 1) or completed <> told_completed
        union all
        select format('fence %s is held twice', fence) from drover.task_lease group by fence having count(*) > 1
        union all
        select format('the lease of task %s is no newer than an attempt before it', l.task_id)
          from drover.task_lease l join drover.task_attempt a on a.task_id = l.task_id where a.fence >= l.fence
        limit 20`;
      return rows.map((row) => row.fault);
    },
    async lease(id) {
      const [row] = await sql<{ fence: string; attempt: number; holder: string; started_at: Date }[]>`
        select l.fence, l.attempt, h.name as holder, l.started_at
          from drover.task_lease l join drover.task t on t.id = l.task_id join drover.holder h on h.id = l.holder_id
         where t.name = ${id}`;
      return row && { fence: BigInt(row.fence), attempt: row.attempt, holder: row.holder, startedAt: row.started_at };
    },
    async final(id) {
      const [row] = await sql<
        { state: string; attempt: number; holder: string | null; error: { class: string } | null }[]
      >`
        select f.state, f.attempt, h.name as holder, f.error
          from drover.task_final f join drover.task t on t.id = f.task_id left join drover.holder h on h.id = f.holder_id
         where t.name = ${id}`;
      return row;
    },
    async attempts(id) {
      const rows = await sql<{ outcome: string; holder: string; fence: string; class: string }[]>`
        select a.outcome, h.name as holder, a.fence, a.error ->> 'class' as class
          from drover.task_attempt a join drover.task t on t.id = a.task_id join drover.holder h on h.id = a.holder_id
         where t.name = ${id} order by a.fence`;
      return rows.map((row) => ({ ...row, fence: BigInt(row.fence) }));
    },
    [Symbol.asyncDispose]: () => sql.end({ timeout: 2 }),
  };
}
