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

-- Takes replicas off their nodes, to be placed anew: their GPUs are free, and what was said of them is forgotten.
create or replace function drover.unplace_replicas(p_replica_ids bigint[], p_reason text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  touched integer[];
begin
  select array_agg(distinct r.holder_id) into touched
    from drover.replica r where r.id = any (p_replica_ids) and r.holder_id is not null;
  perform drover.tell_replicas(p_replica_ids, 'replica.moving', p_reason);
  delete from drover.gpu_allocation a where a.replica_id = any (p_replica_ids);
  delete from drover.replica_status s where s.replica_id = any (p_replica_ids);
  update drover.replica r set holder_id = null, placed_at = null, updated_at = now() where r.id = any (p_replica_ids);
  if touched is not null then
    perform drover.touch_holders(touched);
  end if;
end $$;

-- Events of replicas, and a hint to those who watch their environments.
create or replace function drover.tell_replicas(p_replica_ids bigint[], p_kind text, p_reason text default null) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into drover.event (id, namespace_id, kind, actor, data)
  select drover.next_id(), r.namespace_id, p_kind, 'placement',
         json_build_object('environment', e.name, 'service', s.name, 'replica', r.number, 'node', h.name, 'reason', p_reason)
    from drover.replica r
    join drover.environment e on e.id = r.environment_id
    join drover.service s on s.id = r.service_id
    left join drover.holder h on h.id = r.holder_id
   where r.id = any (p_replica_ids);
  perform pg_notify('drover_wake', 'environment:' || u.id)
     from (select distinct r.environment_id from drover.replica r where r.id = any (p_replica_ids)) as u (id);
end $$;

-- How long after its node was declared lost a service with the policy `stop` may be started elsewhere: as long as it says,
-- and longer where the node needs more to be done with it. The node counts from its last answer, which was a lease and its
-- margin earlier, waits for an answer that is merely late (a sync interval, at most a third of the lease, and 5 s), and
-- then gives it its grace.
create or replace function drover.takeover_seconds(p_service json) returns float8
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select s.after + greatest(0, greatest(0, c.lease_seconds / 3.0 + 5 - s.after) + s.grace - c.lease_seconds - c.lease_margin_seconds)
    from drover.control c
    cross join (
      select coalesce((p_service -> 'onDisconnect' ->> 'afterSeconds')::float8, 0) as after,
             coalesce((p_service ->> 'stopGraceSeconds')::float8, 0) as grace) s;
$$;

-- What nodes do to replicas, in this order:
--   removed          its replicas are placed anew at once
--   lost             by the policy of the service: kept where they are; placed anew at once; or so many seconds later
--                    than the node was declared lost that it has surely stopped them (takeover_seconds)
--   asked to drain   what is stopped leaves, and gets a place when it is started; what runs gets a replacement and leaves when that one runs, or when
--                    the time of the drain is over; a drain that was taken back keeps what is there
-- Then rows that nobody will report gone are forgotten: never placed, or on nodes that are removed or lost for long.
-- Tells how many rows were changed, and how many still leave.
create or replace function drover.move_replicas(out changed integer, out leaving integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  chosen bigint[];
  touched integer[];
begin
  changed := 0;
  perform drover.release_stopped(null);
  -- Removed and lost.
  select array_agg(b.id) into chosen
    from (
      select r.id
        from drover.holder h
        join drover.replica r on r.holder_id = h.id
       where h.kind = 'node' and r.wanted <> 'gone' and not r.is_leaving
         and (h.removed_at is not null or h.state = 'lost' and case r.spec -> 'service' -> 'onDisconnect' ->> 'kind'
           when 'replace' then coalesce(h.lost_at, '-infinity') <= now()
           when 'stop' then coalesce(h.lost_at, '-infinity')
             + drover.takeover_seconds(r.spec -> 'service') * interval '1 second' <= now()
           else false end)
       order by r.id
         for update of r skip locked) b;
  if chosen is not null then
    perform drover.unplace_replicas(chosen, 'Its node is lost or removed.');
    changed := changed + cardinality(chosen);
  end if;

  -- A drain that was taken back before its replacements had a place.
  with back as (
    select r.id, x.id as replacement_id
      from drover.replica r
      join drover.holder h on h.id = r.holder_id
      join drover.replica x on x.service_id = r.service_id and x.number = r.number and not x.is_leaving and x.wanted <> 'gone'
     where r.is_leaving and r.wanted <> 'gone' and x.holder_id is null
       and h.drain_requested_at is null and h.removed_at is null and h.state <> 'lost'
     order by r.id
       for update of r, x skip locked
  ), gone as (
    delete from drover.replica x using back b where x.id = b.replacement_id returning x.id
  )
  select array_agg(b.id) into chosen from back b where exists (select from gone g where g.id = b.replacement_id);
  if chosen is not null then
    update drover.replica r set is_leaving = false, updated_at = now() where r.id = any (chosen);
    changed := changed + cardinality(chosen);
  end if;

  -- Asked to drain: stopped ones need no replacement first.
  select array_agg(b.id) into chosen
    from (
      select r.id
        from drover.holder h
        join drover.replica r on r.holder_id = h.id
       where h.kind = 'node' and h.drain_requested_at is not null and h.removed_at is null and h.state <> 'lost'
         and r.wanted = 'stopped' and not r.is_leaving
       order by r.id
         for update of r skip locked) b;
  if chosen is not null then
    perform drover.unplace_replicas(chosen, 'Its node is drained.');
    changed := changed + cardinality(chosen);
  end if;
  select array_agg(b.id) into chosen
    from (
      select r.id
        from drover.holder h
        join drover.replica r on r.holder_id = h.id
       where h.kind = 'node' and h.drain_requested_at is not null and h.removed_at is null and h.state <> 'lost'
         and r.wanted = 'running' and not r.is_leaving
       order by r.id
         for update of r skip locked) b;
  if chosen is not null then
    update drover.replica r set is_leaving = true, updated_at = now() where r.id = any (chosen);
    insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, wanted, round)
    select drover.next_id(), r.namespace_id, r.environment_id, r.service_id, r.number, r.generation, r.spec, r.spec_hash, r.wanted, r.round
      from drover.replica r where r.id = any (chosen) order by r.id;
    perform drover.tell_replicas(chosen, 'replica.moving', 'Its node is drained.');
    changed := changed + cardinality(chosen);
  end if;

  -- Those that leave go when their replacement runs, or nobody replaces them any more, or their time is over.
  select array_agg(b.id), array_agg(distinct b.holder_id) into chosen, touched
    from (
      select r.id, r.holder_id
        from drover.replica r
        left join drover.holder h on h.id = r.holder_id
       where r.is_leaving and r.wanted <> 'gone'
         and (h.id is null or h.removed_at is not null or h.drain_deadline_at <= now()
           or h.state = 'lost' and coalesce(h.lost_at, '-infinity') <= now()
           or not exists (
             select from drover.replica x
              where x.service_id = r.service_id and x.number = r.number and not x.is_leaving and x.wanted = 'running'
                and not exists (select from drover.replica_status s where s.replica_id = x.id and s.state = 'running')))
       order by r.id
         for update of r skip locked) b;
  if chosen is not null then
    update drover.replica r set wanted = 'gone', updated_at = now() where r.id = any (chosen);
    perform drover.tell_replicas(chosen, 'replica.left');
    perform drover.touch_holders(array_remove(touched, null));
    changed := changed + cardinality(chosen);
  end if;

  -- The node that comes back removes containers that nobody wants by itself.
  select array_agg(b.id) into chosen
    from (
      select r.id
        from drover.replica r
        left join drover.holder h on h.id = r.holder_id
       where r.wanted = 'gone'
         and (h.id is null or h.removed_at is not null
           or h.state = 'lost' and coalesce(h.lost_at, '-infinity') < now() - interval '5 minutes')
       order by r.id
         for update of r skip locked) b;
  if chosen is not null then
    perform drover.tell_replicas(chosen, 'replica.forgotten');
    delete from drover.replica r where r.id = any (chosen);
    changed := changed + cardinality(chosen);
  end if;
  select count(*) into leaving from drover.replica r where r.is_leaving and r.wanted <> 'gone';
end $$;
