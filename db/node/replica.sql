-- The slots of GPUs that a task or a replica holds, as its node is told of them.
create or replace function drover.gpus_of(p_task_id bigint, p_replica_id bigint) returns json
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select json_agg(json_build_object('uuid', g.uuid, 'vendor', g.vendor, 'number', g.number, 'kind', g.kind, 'slot', a.slot,
      'memoryMib', a.memory_mib) order by g.number, a.slot)
    from (
      -- One of both is null: two looks into an index, where a condition over both would read all that is given away.
      select a.gpu_id, a.slot, a.memory_mib from drover.gpu_allocation a where a.task_id = p_task_id
      union all
      select a.gpu_id, a.slot, a.memory_mib from drover.gpu_allocation a where a.replica_id = p_replica_id) a
    join drover.gpu g on g.id = a.gpu_id;
$$;

-- Everything that a node is to keep running, or stopped; what is not among it has no place there.
create or replace function drover.replicas_of(p_holder_id integer) returns json
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(json_agg(json_build_object('id', r.id::text, 'namespace', n.name, 'environment', e.name, 'service', s.name,
      'number', r.number, 'generation', r.generation, 'spec', r.spec, 'specHash', r.spec_hash, 'wanted', r.wanted, 'round', r.round,
      'gpus', drover.gpus_of(null, r.id),
      -- Services that it depends on, that run on other nodes, and are not up there.
      'unmet', (select json_agg(d.name) from (
          select o.name
            from json_array_elements_text(coalesce(r.spec -> 'service' -> 'dependsOn', '[]')) as w (name)
            join drover.service o on o.environment_id = r.environment_id and o.name = w.name
           where not exists (select from drover.replica x where x.service_id = o.id and x.holder_id = p_holder_id and x.wanted <> 'gone')
             and not exists (
               select from drover.replica x join drover.replica_status t on t.replica_id = x.id
                where x.service_id = o.id and x.wanted = 'running' and t.state = 'running')) d),
      -- Those that are up on another node, whatever becomes of the replicas here.
      'met', (select json_agg(distinct o.name)
          from json_array_elements_text(coalesce(r.spec -> 'service' -> 'dependsOn', '[]')) as w (name)
          join drover.service o on o.environment_id = r.environment_id and o.name = w.name
          join drover.replica x on x.service_id = o.id and x.holder_id <> p_holder_id and x.wanted = 'running'
          join drover.replica_status t on t.replica_id = x.id and t.state = 'running'))
      order by r.id), '[]')
    from drover.replica r
    join drover.service s on s.id = r.service_id
    join drover.environment e on e.id = r.environment_id
    join drover.namespace n on n.id = r.namespace_id
   where r.holder_id = p_holder_id;
$$;

-- What is asked of a node at once.
create or replace function drover.requests_of(p_holder_id integer) returns json
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(json_agg(json_build_object('id', q.id::text, 'kind', q.kind, 'spec', q.spec,
      'nextChunk', (select coalesce(max(y.chunk) + 1, 0) from drover.node_reply y where y.request_id = q.id)) order by q.id), '[]')
    from drover.node_request q
   where q.holder_id = p_holder_id and not q.is_done and q.expires_at > now();
$$;

-- Tells a node that there is something new for it.
create or replace function drover.touch_holders(p_holder_ids integer[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from drover.holder h where h.id = any (p_holder_ids) order by h.id for no key update;
  update drover.holder h set revision = h.revision + 1 where h.id = any (p_holder_ids);
  perform pg_notify('drover_wake', 'holder:' || u.id) from unnest(p_holder_ids) as u (id);
end $$;

-- What a node says of its replicas. A replica that is to be gone and is said to be (state `gone`) is forgotten. Returns
-- whether the caller is the current life of the node.
create or replace function node.report(p_holder_id integer, p_epoch bigint, p_statuses json) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  moved record;
  others integer[];
begin
  perform drover.authorize(p_holder_id);
  if not drover.is_current(p_holder_id, p_epoch) then
    return false;
  end if;
  with said as (
    select u.* from json_to_recordset(p_statuses) as u (
        "replicaId" bigint, state text, "isHealthy" boolean, message text, "containerId" text, "imageDigest" text, "specHash" text,
        round integer, "startedAt" timestamptz, "healthySince" timestamptz, restarts integer, "exitCode" integer, ports json,
        progress smallint, drift json)
      join drover.replica r on r.id = u."replicaId" and r.holder_id = p_holder_id
  ), forgotten as (
    delete from drover.replica r using said
     where r.id = said."replicaId" and said.state = 'gone' and r.wanted = 'gone'
    returning r.id, r.namespace_id, r.environment_id, r.service_id, r.number
  ), before as (
    select t.replica_id, t.state from drover.replica_status t join said on said."replicaId" = t.replica_id
  ), written as (
    insert into drover.replica_status as t (replica_id, holder_id, state, is_healthy, message, container_id, image_digest, spec_hash, round,
      started_at, healthy_since, restarts, exit_code, ports, progress, drift)
    select s."replicaId", p_holder_id, s.state, s."isHealthy", left(coalesce(s.message, ''), 2000), s."containerId", s."imageDigest",
           s."specHash", s.round, drover.sane_time(s."startedAt"), drover.sane_time(s."healthySince"), coalesce(s.restarts, 0), s."exitCode",
           drover.sane_ports(s.ports),
           coalesce(s.progress, 0::smallint), s.drift
      from said s
     where s.state <> 'gone'
    on conflict on constraint replica_status_pkey do update
      set holder_id = excluded.holder_id, state = excluded.state, is_healthy = excluded.is_healthy, message = excluded.message,
          container_id = excluded.container_id, image_digest = excluded.image_digest, spec_hash = excluded.spec_hash,
          round = excluded.round, started_at = excluded.started_at, healthy_since = excluded.healthy_since,
          restarts = excluded.restarts, exit_code = excluded.exit_code, ports = excluded.ports, progress = excluded.progress,
          drift = excluded.drift, changed_at = case when t.state = excluded.state then t.changed_at else now() end
    returning t.replica_id, t.state, t.message
  ), changed as (
    select w.replica_id, w.state, w.message, b.state as before
      from written w left join before b on b.replica_id = w.replica_id
     where b.state is distinct from w.state
  ), told as (
    insert into drover.event (id, namespace_id, kind, actor, data)
    select drover.next_id(), r.namespace_id, 'replica.' || c.state, 'holder:' || p_holder_id,
           json_build_object('environment', e.name, 'service', s.name, 'replica', r.number, 'message', c.message)
      from changed c
      join drover.replica r on r.id = c.replica_id
      join drover.service s on s.id = r.service_id
      join drover.environment e on e.id = r.environment_id
  )
  select (select array_agg(distinct r.environment_id) from changed c join drover.replica r on r.id = c.replica_id) as environment_ids,
         (select array_agg(distinct f.environment_id) from forgotten f) as left_ids,
         (select array_agg(distinct r.environment_id) from changed c join drover.replica r on r.id = c.replica_id
           where 'running' in (c.state, c.before)) as ready_ids,
         (select array_agg(distinct r.environment_id) from written w join drover.replica r on r.id = w.replica_id
           where w.state = 'stopped' and r.wanted = 'stopped') as stopped_ids
    into moved;
  if moved.ready_ids is not null then
    -- Replicas on other nodes may be waiting for these.
    others := array(select distinct r.holder_id from drover.replica r
                     where r.environment_id = any (moved.ready_ids) and r.holder_id is not null and r.holder_id <> p_holder_id);
    if others <> '{}' then
      perform drover.touch_holders(others);
    end if;
  end if;
  if moved.stopped_ids is not null then
    -- Somebody may wait for their GPUs, or for their ports.
    perform drover.release_stopped(moved.stopped_ids);
    perform pg_notify('drover_wake', 'place');
  end if;
  perform pg_notify('drover_wake', 'environment:' || u.id)
     from (select unnest(moved.environment_ids) union select unnest(moved.left_ids)) as u (id) where u.id is not null;
  return true;
end $$;

-- A part of the answer to a request. False: nobody waits for it any more. Null: so many parts are unread that this one was
-- not taken, and is to be offered again in a moment.
create or replace function node.reply(p_holder_id integer, p_epoch bigint, p_request_id bigint, p_chunk integer, p_body json, p_is_last boolean)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform drover.authorize(p_holder_id);
  -- Under the lock nobody takes the request away; those that extend its time do not wait for it.
  perform from drover.node_request q
    where q.id = p_request_id and q.holder_id = p_holder_id and not q.is_done and q.expires_at > now()
      for key share;
  if not found or not drover.is_current(p_holder_id, p_epoch) then
    return false;
  end if;
  if not p_is_last and (select count(*) from drover.node_reply y where y.request_id = p_request_id and y.chunk < p_chunk) >= 16 then
    return null;
  end if;
  insert into drover.node_reply (request_id, chunk, body, is_last) values (p_request_id, p_chunk, p_body, p_is_last)
  on conflict do nothing;
  if p_is_last then
    update drover.node_request q set is_done = true where q.id = p_request_id;
  end if;
  perform pg_notify('drover_wake', 'reply:' || p_request_id);
  return true;
end $$;
