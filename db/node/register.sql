-- Checks that the caller may act for a holder: a node's login only for its own, the control plane's roles for any.
-- session_user is the login; inside a SECURITY DEFINER function current_user is the owner.
create or replace function drover.authorize(p_holder_id integer) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  if pg_has_role(session_user, 'drover_agent', 'member') and not pg_has_role(session_user, current_user, 'member')
     and not exists (select from drover.holder h where h.id = p_holder_id and h.login = session_user) then
    raise insufficient_privilege using message = format('login %s may not act for holder %s', session_user, p_holder_id);
  end if;
end $$;

-- A process begins (or begins anew) to act for a holder. A new epoch fences off its former life.
-- A node keeps its leases (its containers may still run; it settles each); a worker's are taken back at once.
create or replace function node.register(
  p_kind text, p_name text, p_namespace text, p_executors text[], p_task_types text[], p_classes text[],
  p_slots jsonb, p_facts jsonb, p_version text,
  out holder_id integer, out epoch bigint, out lease_seconds integer, out held json
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  holder drover.holder;
  space_id integer;
  ends timestamptz;
begin
  select n.id into space_id from drover.namespace n where n.name = p_namespace;
  if not found then
    raise exception 'namespace % does not exist', p_namespace using errcode = 'no_data_found';
  end if;
  if pg_has_role(session_user, 'drover_agent', 'member') and not pg_has_role(session_user, current_user, 'member') then
    -- A node's login: the row exists since its join, and nothing but facts may change.
    update drover.holder h
       set epoch = h.epoch + 1, state = case when h.drain_requested_at is null then 'ready' else 'draining' end, lost_at = null, executors = p_executors, task_types = p_task_types, slots = drover.sane_slots(p_slots), facts = drover.sane_facts(p_facts),
           version = p_version
     where h.login = session_user and h.kind = p_kind and h.name = p_name and h.removed_at is null
    returning * into holder;
    if not found then
      raise insufficient_privilege using message = format('login %s may not act for %s %s', session_user, p_kind, p_name);
    end if;
  else
    if p_kind = 'node' then
      space_id := drover.node_namespace(space_id, p_name);
    end if;
    insert into drover.holder as h (namespace_id, kind, name, executors, task_types, classes, slots, facts, version, epoch)
    values (space_id, p_kind, p_name, p_executors, p_task_types, p_classes, drover.sane_slots(p_slots), drover.sane_facts(p_facts), p_version, 1)
    on conflict on constraint holder_name_is_unique do update
       set epoch = h.epoch + 1, state = case when h.drain_requested_at is null then 'ready' else 'draining' end, lost_at = null,
           removed_at = null, executors = excluded.executors, task_types = excluded.task_types,
           classes = excluded.classes, slots = excluded.slots, facts = excluded.facts, version = excluded.version
    returning * into holder;
  end if;

  select c.lease_seconds into lease_seconds from drover.control c;
  ends := clock_timestamp() + lease_seconds * interval '1 second';
  insert into drover.holder_lease as l (holder_id, epoch, expires_at) values (holder.id, holder.epoch, ends)
  on conflict on constraint holder_lease_pkey do update set epoch = excluded.epoch, expires_at = excluded.expires_at;

  -- Waits for the claims of a former life that are under way (node.claim), so that none of them is missed below.
  perform pg_advisory_xact_lock(1146244952, holder.id);
  if p_kind = 'worker' then
    perform drover.take_back(array_agg(l.task_id), array_agg(l.fence), 'lease_lost', 'Its worker was started anew.')
       from drover.task_lease l where l.holder_id = holder.id;
  else
    select json_agg(json_build_object('task_id', l.task_id::text, 'fence', l.fence::text, 'attempt', l.attempt,
        'started_at', l.started_at, 'class', c.name, 'name', t.name, 'timeout_seconds', t.timeout_seconds,
        'payload', t.payload, 'execution', t.execution, 'executor', q.executor, 'namespace', n.name,
        'log_chunk', g.chunk, 'log_until_ms', g.until_ms,
        'gpus', case when l.gpu_count > 0 then drover.gpus_of(l.task_id, null) end))
      into held
      from drover.task_lease l
      join drover.task t on t.id = l.task_id
      join drover.queue q on q.id = l.queue_id
      join drover.class c on c.id = q.class_id
      join drover.namespace n on n.id = q.namespace_id
      left join lateral (
        select k.chunk, (k.lines -> -1 ->> 1)::bigint as until_ms from drover.task_log k
         where k.task_id = l.task_id and k.attempt = l.attempt order by k.chunk desc limit 1) g on true
     where l.holder_id = holder.id;
  end if;
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), holder.namespace_id, p_kind || '.registered', 'holder:' || holder.id,
    json_build_object('name', p_name, 'epoch', holder.epoch));
  if p_kind = 'node' then
    perform pg_notify('drover_wake', 'place');
  end if;
  holder_id := holder.id;
  epoch := holder.epoch;
  held := coalesce(held, '[]'::json);
end $$;

-- A process ends: what it still holds goes back, its lease is gone.
create or replace function node.leave(p_holder_id integer, p_epoch bigint) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform drover.authorize(p_holder_id);
  delete from drover.holder_lease l where l.holder_id = p_holder_id and l.epoch = p_epoch;
  if not found then
    return false;
  end if;
  perform pg_advisory_xact_lock(1146244952, p_holder_id);
  perform drover.take_back(array_agg(l.task_id), array_agg(l.fence), 'released', 'Its holder left.')
     from drover.task_lease l where l.holder_id = p_holder_id;
  -- What it keeps running counts as lost no sooner than if it had fallen silent: an upgrade is a matter of seconds.
  update drover.holder h
     set state = 'lost', lost_at = now() + (c.lease_seconds + c.lease_margin_seconds) * interval '1 second'
    from drover.control c
   where h.id = p_holder_id and h.epoch = p_epoch;
  return true;
end $$;

-- No further claims; what runs goes on.
create or replace function node.drain(p_holder_id integer, p_epoch bigint) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform drover.authorize(p_holder_id);
  update drover.holder h set state = 'draining' where h.id = p_holder_id and h.epoch = p_epoch;
end $$;

-- What changed of a holder while it lives: an engine that went away takes its executor with it.
create or replace function node.describe(p_holder_id integer, p_epoch bigint, p_executors text[], p_slots jsonb, p_facts jsonb) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform drover.authorize(p_holder_id);
  update drover.holder h set executors = p_executors, slots = drover.sane_slots(p_slots), facts = drover.sane_facts(p_facts)
   where h.id = p_holder_id and h.epoch = p_epoch;
  return found;
end $$;

-- What a holder holds: after an answer was lost, claims that it never heard of are among these.
create or replace function node.held(p_holder_id integer) returns table (task_id bigint, fence bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform drover.authorize(p_holder_id);
  return query select l.task_id, l.fence from drover.task_lease l where l.holder_id = p_holder_id;
end $$;
