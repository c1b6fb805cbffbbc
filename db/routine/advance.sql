-- A row of a step as the engine reads it. Without settings of its own it becomes a part of the statement that calls it.
create or replace function drover.step_json(p_step drover.step) returns json
language sql stable
return json_build_object('number', p_step.number, 'item', p_step.item, 'state', p_step.state,
  'taskId', p_step.task_id::text, 'childRunId', p_step.child_run_id::text, 'exits', p_step.exits,
  'data', p_step.data, 'error', p_step.error);

-- Locks runs that were signalled or are due, takes their signals, and returns what the engine needs to know first.
-- Whoever holds the lock is the only one to advance a run, so joins cannot race. Every statement here sees what was
-- committed before it: the rows of steps are read after the lock, never before.
-- A signal about an item comes with the row of its step too (`header`); of a step itself that is the same row.
create or replace function drover.take_runs(p_runs integer, p_signals integer)
returns table (run_id bigint, now_ms double precision, run json, open json, signals json)
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
-- Signals are looked up one by one (the laterals leave no other way) and then hashed by their runs: with joins of its
-- own choice, planned for other numbers, it read all steps of all runs for each signal (160 ms for 200, now 3).
set enable_nestloop = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  locked bigint[];
  taken bigint[];
begin
  locked := array(
    select o.run_id from drover.run_open o
     where o.run_id = any (array(
             select s.run_id from (select h.run_id from drover.run_signal h order by h.id limit p_signals) s
             union
             select d.run_id from (
               select w.run_id from drover.run_open w where w.wake_at <= clock_timestamp() order by w.wake_at limit p_runs) d))
     order by o.run_id
     limit p_runs
       for update skip locked);
  if cardinality(locked) < p_runs then
    -- Signals of runs that have ended meanwhile.
    delete from drover.run_signal s
     where s.id = any (array(
       select h.id from (select i.id, i.run_id from drover.run_signal i order by i.id limit p_signals) h
        where h.run_id <> all (locked) and not exists (select from drover.run_open o where o.run_id = h.run_id)));
  end if;
  if cardinality(locked) = 0 then
    return;
  end if;
  taken := array(select s.id from drover.run_signal s where s.run_id = any (locked) order by s.id limit p_signals);
  return query
  with gone as (
    delete from drover.run_signal s where s.id = any (taken) returning s.*
  ), told as (
    select g.run_id, json_agg(json_build_object('kind', g.kind, 'data', g.data,
             'taskId', g.task_id::text, 'childRunId', g.child_run_id::text, 'state', unit.state, 'error', unit.error,
             'row', own.step, 'header', header.step) order by g.id) as signals
      from gone g
      left join lateral (
        select t.step_number as number, t.step_item as item from drover.task t where t.id = g.task_id
        union all
        select c.parent_step, c.parent_item from drover.workflow_run c where c.id = g.child_run_id
         limit 1) place on true
      left join lateral (
        select f.state, f.error from drover.task_final f where f.task_id = g.task_id
        union all
        select r.state, r.error from drover.run_final r where r.run_id = g.child_run_id
         limit 1) unit on true
      left join lateral (
        select drover.step_json(s) as step from drover.step s
         where s.run_id = g.run_id and s.number = place.number and s.item = place.item limit 1) own on true
      left join lateral (
        select drover.step_json(s) as step from drover.step s
         where place.item >= 0 and s.run_id = g.run_id and s.number = place.number and s.item = -1 limit 1) header on true
     group by g.run_id
  )
  select o.run_id, floor(extract(epoch from clock_timestamp()) * 1000)::double precision, facts.run,
         json_build_object('isStarted', o.started_at is not null, 'wakeAtMs', floor(extract(epoch from o.wake_at) * 1000),
           'isDue', o.wake_at <= clock_timestamp(),
           'stopping', o.stopping, 'cancelReason', o.cancel_reason, 'total', o.steps_total, 'completed', o.completed,
           'failed', o.failed, 'tolerated', o.tolerated, 'skipped', o.skipped, 'cancelled', o.cancelled,
           'running', o.running, 'held', o.held, 'fields', o.fields, 'mailbox', o.mailbox),
         coalesce(d.signals, '[]'::json)
    from drover.run_open o
   cross join lateral (
      select json_build_object('namespaceId', w.namespace_id, 'workflowId', w.workflow_id, 'versionId', w.version_id, 'body', w.body,
               'rootRunId', w.root_run_id::text, 'depth', w.depth, 'input', w.input, 'labels', w.labels,
               'deadlineMs', floor(extract(epoch from w.deadline_at) * 1000)) as run
        from drover.workflow_run w where w.id = o.run_id limit 1) facts
    left join told d on d.run_id = o.run_id
   where o.run_id = any (locked);
end $$;

-- The own rows of steps, for many runs at once. Arrays are parallel. Here as below the laterals and settings hold whatever
-- the statistics say: a plan made while the tables were empty would read all of them for every step.
create or replace function drover.read_steps(p_run_ids bigint[], p_numbers integer[]) returns table (run_id bigint, step json)
language sql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
  select u.run_id, own.step
    from unnest(p_run_ids, p_numbers) as u (run_id, number)
   cross join lateral (
     select drover.step_json(s) as step from drover.step s
      where s.run_id = u.run_id and s.number = u.number and s.item = -1 limit 1) own;
$$;

-- What steps gave, for many runs at once: the stored output, or the result of the task or nested run.
create or replace function drover.read_outputs(p_run_ids bigint[], p_numbers integer[])
returns table (run_id bigint, number integer, item integer, is_stored boolean, output json)
language sql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
  select u.run_id, u.number, own.item, own.output is not null, coalesce(own.output, unit.output)
    from unnest(p_run_ids, p_numbers) as u (run_id, number)
   cross join lateral (
     select s.item, s.task_id, s.child_run_id, s.output from drover.step s
      where s.run_id = u.run_id and s.number = u.number
      order by s.item offset 0) own
    left join lateral (
     select f.result as output from drover.task_final f where own.output is null and f.task_id = own.task_id
     union all
     select c.output from drover.run_final c where own.output is null and c.run_id = own.child_run_id
      limit 1) unit on true;
$$;

-- Results of tasks and outputs of nested runs, by their ids.
create or replace function drover.read_results(p_ids bigint[]) returns table (id bigint, result json)
language sql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
  select u.id, unit.result
    from unnest(p_ids) as u (id)
   cross join lateral (
     select f.result from drover.task_final f where f.task_id = u.id
     union all
     select r.output from drover.run_final r where r.run_id = u.id
      limit 1) unit;
$$;

-- Starts runs: the rows of the run, what it may spend, and the signal by which the next advance begins it.
create or replace function drover.insert_runs(p_runs json) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  with given as (
    select * from json_to_recordset(p_runs) as g (
      id bigint, namespace_id integer, workflow_id integer, version_id integer, body text, root_run_id bigint, parent_run_id bigint,
      parent_step integer, parent_item integer, depth smallint, input json, idempotency_key text, labels jsonb, actor text,
      deadline_ms double precision, steps_total integer, fields json)
  ), runs as (
    insert into drover.workflow_run (id, namespace_id, workflow_id, version_id, body, root_run_id, parent_run_id, parent_step,
      parent_item, depth, input, idempotency_key, labels, actor, deadline_at)
    select g.id, g.namespace_id, g.workflow_id, g.version_id, g.body, g.root_run_id, g.parent_run_id, g.parent_step,
           g.parent_item, coalesce(g.depth, 0), coalesce(g.input, 'null'::json), g.idempotency_key, g.labels, g.actor,
           to_timestamp(g.deadline_ms / 1000)
      from given g
  ), opened as (
    insert into drover.run_open (run_id, steps_total, wake_at, fields)
    select g.id, g.steps_total, to_timestamp(g.deadline_ms / 1000), g.fields from given g
  )
  insert into drover.run_signal (run_id, kind) select g.id, 'start' from given g;

  insert into drover.run_tree as t (root_run_id, nested_runs)
  select g.root_run_id, count(*)
    from json_to_recordset(p_runs) as g (root_run_id bigint, parent_run_id bigint)
   where g.parent_run_id is not null
   group by g.root_run_id
   order by g.root_run_id
  on conflict on constraint run_tree_pkey do update set nested_runs = t.nested_runs + excluded.nested_runs;

  select drover.open_budgets(g.namespace_id, g.root_run_id, g.id, g.budget_nanos,
           array(select (b ->> 'number')::integer from json_array_elements(g.step_budgets) with ordinality as x (b, n) order by n),
           array(select b ->> 'id' from json_array_elements(g.step_budgets) with ordinality as x (b, n) order by n),
           array(select (b ->> 'nanos')::bigint from json_array_elements(g.step_budgets) with ordinality as x (b, n) order by n))
    from json_to_recordset(p_runs) as g (
      id bigint, namespace_id integer, root_run_id bigint, budget_nanos bigint, step_budgets json)
   where g.budget_nanos is not null or g.step_budgets is not null;
$$;

-- Writes what an advance decided about the runs that the caller has locked: tasks, nested runs, rows of steps,
-- counters, what is to stop, and the end of those that are over.
create or replace function drover.write_advance(p_plan json) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- Rows are found by their keys, however few there were when the plans were made: an update that was planned for an empty
-- table read all open runs, and all steps.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  -- The plan is read once; a part that is null is empty.
  plan record;
  batch record;
begin
  select nullif(g.tasks::text, '[]')::json as tasks, nullif(g.children::text, '[]')::json as children,
         nullif(g.steps::text, '[]')::json as steps, nullif(g.runs::text, '[]')::json as runs,
         nullif(g.memory::text, '[]')::json as memory, nullif(g.cancels::text, '[]')::json as cancels,
         nullif(g.stops::text, '[]')::json as stops, nullif(g.ends::text, '[]')::json as ends,
         nullif(g.events::text, '[]')::json as events, nullif(g.hints::text, '[]')::json as hints
    into plan
    from json_to_record(p_plan) as g (tasks json, children json, steps json, runs json, memory json, cancels json, stops json,
      ends json, events json, hints json);
  for batch in
    select t.namespace_id, array_agg(t.id order by t.n) as ids, array_agg(t.queue_id order by t.n) as queue_ids,
           array_agg(t.payload order by t.n) as payloads, array_agg(t.execution order by t.n) as executions,
           array_agg(t.retry order by t.n) as retries, array_agg(t.priority order by t.n) as priorities,
           array_agg(t.timeout order by t.n) as timeouts, array_agg(t.run_id order by t.n) as run_ids,
           array_agg(t.step order by t.n) as steps, array_agg(t.item order by t.n) as items, array_agg(t.name order by t.n) as names
      from rows from (json_to_recordset(plan.tasks) as (
        namespace_id integer, id bigint, queue_id integer, payload json, execution json, retry json, priority integer,
        timeout integer, run_id bigint, step integer, item integer, name text)) with ordinality
        as t (namespace_id, id, queue_id, payload, execution, retry, priority, timeout, run_id, step, item, name, n)
     group by t.namespace_id
  loop
    perform drover.insert_tasks(batch.ids, batch.namespace_id, 'engine', batch.queue_ids, batch.payloads, batch.executions,
      batch.retries, null, batch.priorities, batch.timeouts, null, batch.names, batch.run_ids, batch.steps, batch.items);
    -- Ids that a compatible interface promises; after a resume they mean the newer task.
    insert into drover.task_key as k (namespace_id, kind, key, task_id, request_hash)
    select batch.namespace_id, 'id', u.name, u.id, '' from unnest(batch.names, batch.ids) as u (name, id) where u.name is not null
    on conflict on constraint task_key_pkey do update set task_id = excluded.task_id where k.request_hash = '';
  end loop;
  if plan.children is not null then
    perform drover.insert_runs(plan.children);
  end if;

  insert into drover.step as s (run_id, number, item, state, task_id, child_run_id, exits, data, output, error, finished_at)
  select g.run_id, g.number, g.item, g.state, g.task_id, g.child_run_id, g.exits, g.data, g.output, g.error,
         case when g.state in ('completed', 'failed', 'skipped', 'cancelled') then clock_timestamp() end
    from json_to_recordset(plan.steps) as g (
      run_id bigint, number integer, item integer, state text, task_id bigint, child_run_id bigint, exits smallint[],
      data json, output json, error json)
  on conflict on constraint step_pkey do update
     set state = excluded.state, task_id = coalesce(excluded.task_id, s.task_id),
         child_run_id = coalesce(excluded.child_run_id, s.child_run_id), exits = coalesce(excluded.exits, s.exits),
         data = coalesce(excluded.data, s.data), output = coalesce(excluded.output, s.output),
         error = coalesce(excluded.error, s.error), finished_at = excluded.finished_at;

  if plan.memory is not null then
    insert into drover.memory as m (namespace_id, scope, key, value)
    select distinct on (g.namespace_id, g.scope, g.key) g.namespace_id, g.scope, g.key, coalesce(g.value, 'null'::json)
      from rows from (json_to_recordset(plan.memory) as (namespace_id integer, scope text, key text, value json))
        with ordinality as g (namespace_id, scope, key, value, n)
     order by g.namespace_id, g.scope, g.key, g.n desc
    on conflict on constraint memory_pkey do update set value = excluded.value, updated_at = clock_timestamp();
  end if;

  update drover.run_open o
     set started_at = coalesce(o.started_at, now()), completed = g.completed, failed = g.failed, tolerated = g.tolerated,
         skipped = g.skipped, cancelled = g.cancelled, running = g.running, held = g.held,
         fields = coalesce(g.fields, o.fields), mailbox = coalesce(g.mailbox, o.mailbox),
         wake_at = to_timestamp(g.wake_at_ms / 1000), stopping = g.stopping, cancel_reason = coalesce(g.cancel_reason, o.cancel_reason)
    from json_to_recordset(plan.runs) as g (
      run_id bigint, completed integer, failed integer, tolerated integer, skipped integer, cancelled integer, running integer,
      held integer, fields json, mailbox json, wake_at_ms double precision, stopping text, cancel_reason text)
   where o.run_id = g.run_id;

  if plan.cancels is not null or plan.stops is not null then
    perform drover.stop_units(plan.stops, plan.cancels);
  end if;
  if plan.ends is not null then
    perform drover.end_runs(plan.ends);
  end if;
  insert into drover.event (id, namespace_id, kind, actor, run_ids)
  select drover.next_id(), g.namespace_id, g.kind, 'engine', g.run_ids
    from json_to_recordset(plan.events) as g (namespace_id integer, kind text, run_ids bigint[]);
  perform pg_notify('drover_wake', hint) from json_array_elements_text(plan.hints) as hint;
end $$;

-- Asks everything that is in flight for runs to stop, their tasks and nested runs, and single tasks too. In the order of
-- keys over all runs, as completions lock leases, so that neither waits for the other in a circle.
drop function if exists drover.stop_units(bigint, text);
create or replace function drover.stop_units(p_stops json, p_cancels json) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  unit record;
begin
  for unit in
    with stopped as (
      select * from json_to_recordset(p_stops) as g (run_id bigint, reason text)
    ), listed as (
      select c.task_id, c.reason from json_to_recordset(p_cancels) as c (task_id bigint, reason text)
      union all
      select s.task_id, g.reason
        from stopped g
        join drover.step s on s.run_id = g.run_id and s.state = 'running' and s.task_id is not null
      union all
      select c.key::bigint, g.reason
        from stopped g
        join drover.step s on s.run_id = g.run_id and s.state = 'running' and s.data #> '{talk,calls}' is not null
       cross join lateral json_each(s.data #> '{talk,calls}') c
    )
    select l.task_id, min(l.reason) as reason from listed l group by l.task_id order by l.task_id
  loop
    perform drover.cancel_task(unit.task_id, unit.reason, 'engine');
  end loop;
  insert into drover.run_signal (run_id, kind, data)
  select s.child_run_id, 'cancel', json_build_object('reason', g.reason)
    from json_to_recordset(p_stops) as g (run_id bigint, reason text)
    join drover.step s on s.run_id = g.run_id and s.state = 'running' and s.child_run_id is not null;
  if found then
    perform pg_notify('drover_wake', 'advance');
  end if;
end $$;
