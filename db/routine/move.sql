-- Replicas whose node goes away: taken off it, replaced before they leave it, forgotten. Part of placement, under its lock
-- (place.sql).

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
