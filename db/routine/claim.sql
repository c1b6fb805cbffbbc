-- Moves due tasks from waiting to ready: at most `max_count`, oldest first.
create or replace function drover.promote(max_count integer) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  moved integer;
begin
  with due as (
    select w.task_id
      from drover.task_waiting w
     where w.until_at <= now()
     order by w.until_at
     limit max_count
       for update skip locked
  ), gone as (
    delete from drover.task_waiting w
     using due
     where w.task_id = due.task_id
    returning w.queue_id, w.sort_key, w.task_id, w.attempt
  )
  insert into drover.task_ready (queue_id, sort_key, task_id, attempt)
  select queue_id, sort_key, task_id, attempt from gone;
  get diagnostics moved = row_count;
  return moved;
end $$;

-- The claim of one queue: rows move from ready to lease in one statement, get a fence each, and are told as one event.
-- The candidate list is a CTE, so that the limit is applied before the lock and not per joined row;
-- rows are deleted by their place (ctid), which cannot move while they are locked.
-- The settings for its plan are those of its callers, node.claim and node.sync: setting them in each function
-- called made up a fifth of the claim of a single task.
create or replace function drover.claim_queue(
  p_holder_id integer, p_namespace_id integer, p_queue_id integer, p_limited_class_id integer, p_limit integer
) returns table (task_id bigint, fence bigint, attempt integer, timeout_seconds integer, name text, payload json, execution json)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with pick as (
    select r.ctid as place
      from drover.task_ready r
     where r.queue_id = p_queue_id
     order by r.sort_key, r.task_id
     limit p_limit
       for update skip locked
  ), gone as (
    delete from drover.task_ready r
     where r.ctid = any (array(select place from pick))
    returning r.task_id, r.attempt
  ), spec as (
    select g.task_id, g.attempt + 1 as attempt, nextval('drover.fence_sequence') as fence,
           t.timeout_seconds, t.name, t.payload, t.execution, t.run_id,
           drover.token_count(t.execution -> 'resources' -> 'gpuCount') as gpu_count
      from gone g
      join drover.task t on t.id = g.task_id
  ), leased as (
    insert into drover.task_lease (task_id, fence, holder_id, queue_id, limited_class_id, attempt, deadline_at, run_id, gpu_count)
    select s.task_id, s.fence, p_holder_id, p_queue_id, p_limited_class_id, s.attempt,
           now() + (s.timeout_seconds + 60) * interval '1 second', s.run_id, nullif(least(coalesce(s.gpu_count, 0), 1000), 0)::integer
      from spec s
  ), told as (
    insert into drover.event (id, namespace_id, kind, actor, task_ids)
    select drover.next_id(), p_namespace_id, 'task.started', 'holder:' || p_holder_id, array_agg(s.task_id)
      from spec s
    having count(*) > 0
  )
  select s.task_id, s.fence, s.attempt, s.timeout_seconds, s.name, s.payload, s.execution
    from spec s;
end $$;

-- The claim of what the place operation meant for this node: the same, with the placement in front. Both rows are
-- locked without waiting: a cancellation takes the ready row first and the placement after it.
create or replace function drover.claim_placed(
  p_holder_id integer, p_namespace_id integer, p_queue_id integer, p_limited_class_id integer, p_limit integer
) returns table (task_id bigint, fence bigint, attempt integer, timeout_seconds integer, name text, payload json, execution json)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with pick as (
    select p.task_id, r.ctid as place
      from drover.task_placement p
      join drover.task_ready r on r.queue_id = p.queue_id and r.sort_key = p.sort_key and r.task_id = p.task_id
     where p.holder_id = p_holder_id and p.queue_id = p_queue_id and p.fence is null
     order by p.sort_key, p.task_id
     limit p_limit
       for update of p, r skip locked
  ), gone as (
    delete from drover.task_ready r
     where r.ctid = any (array(select place from pick))
    returning r.task_id, r.attempt
  ), spec as (
    select g.task_id, g.attempt + 1 as attempt, nextval('drover.fence_sequence') as fence,
           t.timeout_seconds, t.name, t.payload, t.execution, t.run_id,
           (select count(distinct a.gpu_id) from drover.gpu_allocation a where a.task_id = g.task_id)::integer as gpu_count
      from gone g
      join drover.task t on t.id = g.task_id
  ), bound as (
    update drover.task_placement p set fence = s.fence from spec s where p.task_id = s.task_id
  ), leased as (
    insert into drover.task_lease (task_id, fence, holder_id, queue_id, limited_class_id, attempt, deadline_at, run_id, gpu_count)
    select s.task_id, s.fence, p_holder_id, p_queue_id, p_limited_class_id, s.attempt,
           now() + (s.timeout_seconds + 60) * interval '1 second', s.run_id, s.gpu_count
      from spec s
  ), told as (
    insert into drover.event (id, namespace_id, kind, actor, task_ids)
    select drover.next_id(), p_namespace_id, 'task.started', 'holder:' || p_holder_id, array_agg(s.task_id)
      from spec s
    having count(*) > 0
  )
  select s.task_id, s.fence, s.attempt, s.timeout_seconds, s.name, s.payload, s.execution
    from spec s;
end $$;

-- How many tasks of a class may start now: its free slots, capped by what is asked.
-- Slots are counted from the leases, so they die with them. An exclusive lock keeps two claims from counting
-- the same free slot; a claim of an unlimited class holds the shared one, so that a limit set meanwhile counts all.
create or replace function drover.class_allowance(p_class_id integer, p_asked integer, out allowed integer, out limited_class_id integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  before_lock integer;
  after_lock integer;
begin
  select c.concurrency_limit into before_lock from drover.class c where c.id = p_class_id;
  allowed := 0;
  if before_lock is null then
    if not pg_try_advisory_xact_lock_shared(1146244951, p_class_id) then return; end if;
  else
    if not pg_try_advisory_xact_lock(1146244951, p_class_id) then return; end if;
  end if;
  select c.concurrency_limit into after_lock from drover.class c where c.id = p_class_id and c.paused_at is null;
  if not found or (before_lock is null) <> (after_lock is null) then
    return;
  end if;
  if after_lock is null then
    allowed := p_asked;
    return;
  end if;
  limited_class_id := p_class_id;
  select least(p_asked, greatest(0, after_lock - count(*)))::integer into allowed
    from drover.task_lease l where l.limited_class_id = p_class_id;
end $$;

-- Sets or lifts a concurrency limit. The exclusive lock waits for claims under way; leases that run become slots.
create or replace function drover.set_class_limit(p_namespace_id integer, p_name text, p_limit integer) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  found_id integer;
begin
  select c.id into found_id from drover.class c where c.namespace_id = p_namespace_id and c.name = p_name;
  if not found then
    return false;
  end if;
  perform pg_advisory_xact_lock(1146244951, found_id);
  update drover.class c set concurrency_limit = p_limit where c.id = found_id;
  -- In the order of keys, as completions lock them, so that neither waits for the other in a circle.
  perform from drover.task_lease l
     join drover.queue q on q.id = l.queue_id
    where q.class_id = found_id
    order by l.task_id
      for update of l;
  update drover.task_lease l
     set limited_class_id = case when p_limit is null then null else found_id end
    from drover.queue q
   where q.id = l.queue_id and q.class_id = found_id;
  return true;
end $$;
