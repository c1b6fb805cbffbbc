-- Placement: which node a pending task or a replica is to run on. One transaction at a time decides, under the advisory
-- lock (1146244950, 3), so that what it read of the fleet's room still holds when it writes; the primary key of
-- gpu_allocation is the last guard. Rows that others hold are passed over, never waited for.

-- Writes placements of tasks that are pending still. `p_groups`: tasks of one group are placed all or none; null: alone.
-- The GPU arrays name a task once for each slot that it gets. Returns the tasks that were placed.
create or replace function drover.place_tasks(
  p_task_ids bigint[], p_queue_ids integer[], p_sort_keys bigint[], p_holder_ids integer[], p_groups integer[],
  p_gpu_task_ids bigint[], p_gpu_ids integer[], p_slots integer[], p_memory_mibs integer[]
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- One look by key into the ready rows of each, whatever the statistics say.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  pending_ids bigint[];
  broken_groups integer[];
  placed_ids bigint[];
  touched integer[];
begin
  select array_agg(l.task_id) into pending_ids
    from (
      select r.task_id
        from unnest(p_task_ids, p_queue_ids, p_sort_keys) as u (task_id, queue_id, sort_key)
        join drover.task_ready r on r.queue_id = u.queue_id and r.sort_key = u.sort_key and r.task_id = u.task_id
         for update of r skip locked) l;
  select coalesce(array_agg(distinct u.place_group), '{}') into broken_groups
    from unnest(p_task_ids, p_groups) as u (task_id, place_group)
   where u.place_group is not null and not u.task_id = any (pending_ids);
  with pending as (
    select i.task_id from unnest(pending_ids) as i (task_id)
  ), placed as (
    insert into drover.task_placement (task_id, queue_id, sort_key, holder_id)
    select u.task_id, u.queue_id, u.sort_key, u.holder_id
      from unnest(p_task_ids, p_queue_ids, p_sort_keys, p_holder_ids, p_groups) as u (task_id, queue_id, sort_key, holder_id, place_group)
     where u.task_id in (select p.task_id from pending p) and (u.place_group is null or u.place_group <> all (broken_groups))
    returning task_id, holder_id
  )
  select array_agg(p.task_id), array_agg(distinct p.holder_id) into placed_ids, touched from placed p;
  if placed_ids is null then
    return '{}';
  end if;
  insert into drover.gpu_allocation (gpu_id, slot, task_id, memory_mib)
  select u.gpu_id, u.slot, u.task_id, u.memory_mib
    from unnest(p_gpu_task_ids, p_gpu_ids, p_slots, p_memory_mibs) as u (task_id, gpu_id, slot, memory_mib)
   where u.task_id in (select p.task_id from unnest(placed_ids) as p (task_id));
  perform drover.touch_holders(touched);
  return placed_ids;
end $$;

-- Takes back what nobody will claim: the node is lost, cordoned, drained or removed, does not claim for half a minute, or
-- the task is not pending any more. A gang is taken back as far as it is not claimed yet. Returns how many.
create or replace function drover.take_back_placements() returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  gone_ids bigint[];
  gangs record;
  others integer := 0;
begin
  with vain as (
    select p.task_id
      from drover.task_placement p
      join drover.holder h on h.id = p.holder_id
     where p.fence is null
       and (p.placed_at < now() - interval '30 seconds' or h.state <> 'ready' or h.cordoned_at is not null
         or h.drain_requested_at is not null or h.removed_at is not null
         or not exists (select from drover.holder_lease l where l.holder_id = h.id and l.expires_at > now())
         or not exists (
           select from drover.task_ready r where r.queue_id = p.queue_id and r.sort_key = p.sort_key and r.task_id = p.task_id))
       for update of p skip locked
  ), orphaned as (
    -- Nothing leaves any; a second guard, as a GPU that stays taken by nobody is lost until someone looks.
    select p.task_id
      from drover.task_placement p
     where p.fence is not null
       and not exists (select from drover.task_lease l where l.task_id = p.task_id and l.fence = p.fence)
       for update of p skip locked
  ), gone as (
    delete from drover.task_placement p
     where p.task_id = any (array(select task_id from vain union all select task_id from orphaned))
    returning p.task_id
  )
  select array_agg(task_id) into gone_ids from gone;
  if gone_ids is null then
    return 0;
  end if;
  select array_agg(distinct t.namespace_id || ' ' || (t.execution -> 'gang' ->> 'name')) as names into gangs
    from drover.task t
   where t.id = any (gone_ids) and t.execution -> 'gang' ->> 'name' is not null;
  if gangs.names is not null then
    with members as (
      select p.task_id
        from drover.task_placement p
        join drover.task t on t.id = p.task_id
       where p.fence is null and t.namespace_id || ' ' || (t.execution -> 'gang' ->> 'name') = any (gangs.names)
         for update of p skip locked
    )
    delete from drover.task_placement p using members m where p.task_id = m.task_id;
    get diagnostics others = row_count;
  end if;
  return cardinality(gone_ids) + others;
end $$;

-- A placement, and with it the GPUs, ends with its lease; somebody may be waiting for them.
create or replace function drover.end_placements(p_task_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  delete from drover.task_placement p where p.task_id = any (p_task_ids);
  if found then
    perform pg_notify('drover_wake', 'place');
  end if;
end $$;

-- Whether a replica is stopped, as is wanted, and its node has told so of what it is now: then it has given back its GPUs
-- and its ports of the node. Its cpu and its memory stay its own, and so does its place where it needs nothing else.
create or replace function drover.has_stopped(p_replica drover.replica) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select p_replica.wanted = 'stopped' and exists (
    select from drover.replica_status t
     where t.replica_id = p_replica.id and t.holder_id = p_replica.holder_id and t.state = 'stopped'
       and coalesce(t.round, p_replica.round) = p_replica.round);
$$;

-- Takes the GPUs of replicas that have stopped: of some environments, or of all. Returns how many slots that were. Rows that
-- somebody has in hand, maybe to start them again, are passed over.
create or replace function drover.release_stopped(p_environment_ids integer[]) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  released integer;
begin
  with stopped as (
    select r.id
      from drover.replica r
     where r.wanted = 'stopped' and (p_environment_ids is null or r.environment_id = any (p_environment_ids))
       and exists (select from drover.gpu_allocation a where a.replica_id = r.id) and drover.has_stopped(r)
       for update of r skip locked
  )
  delete from drover.gpu_allocation a using stopped s where a.replica_id = s.id;
  get diagnostics released = row_count;
  return released;
end $$;

-- Writes places of replicas: of those that wait for one (`p_from_ids` null), and of those that move from one node, or
-- from GPUs that cannot be used any more. Returns the replicas that were placed.
create or replace function drover.place_replicas(
  p_replica_ids bigint[], p_from_ids integer[], p_holder_ids integer[],
  p_gpu_replica_ids bigint[], p_gpu_ids integer[], p_slots integer[], p_memory_mibs integer[]
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  placed_ids bigint[];
  touched integer[];
begin
  select array_agg(l.id) into placed_ids
    from (
      select r.id
        from unnest(p_replica_ids, p_from_ids) as u (id, from_id)
        join drover.replica r on r.id = u.id
       where r.holder_id is not distinct from u.from_id and r.wanted <> 'gone'
       order by r.id
         for update of r skip locked) l;
  if placed_ids is null then
    return '{}';
  end if;
  delete from drover.gpu_allocation a where a.replica_id = any (placed_ids);
  delete from drover.replica_status s
   where s.replica_id = any (array(
     select u.id from unnest(p_replica_ids, p_from_ids, p_holder_ids) as u (id, from_id, holder_id)
      where u.id = any (placed_ids) and u.from_id is distinct from u.holder_id));
  update drover.replica r
     set holder_id = u.holder_id, placed_at = now(), updated_at = now()
    from unnest(p_replica_ids, p_holder_ids) as u (id, holder_id)
   where r.id = u.id and r.id = any (placed_ids);
  insert into drover.gpu_allocation (gpu_id, slot, replica_id, memory_mib)
  select u.gpu_id, u.slot, u.replica_id, u.memory_mib
    from unnest(p_gpu_replica_ids, p_gpu_ids, p_slots, p_memory_mibs) as u (replica_id, gpu_id, slot, memory_mib)
   where u.replica_id = any (placed_ids);
  perform drover.tell_replicas(placed_ids, 'replica.placed');
  select array_agg(distinct h.id) into touched
    from unnest(p_replica_ids, p_from_ids, p_holder_ids) as u (id, from_id, holder_id)
   cross join lateral (values (u.from_id), (u.holder_id)) as h (id)
   where u.id = any (placed_ids) and h.id is not null;
  perform drover.touch_holders(touched);
  return placed_ids;
end $$;
