-- Renews the lease of a holder; false where a newer life has taken over or the lease was given up.
create or replace function drover.renew(p_holder_id integer, p_epoch bigint, p_lease_seconds integer) returns boolean
language sql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
  with renewed as (
    update drover.holder_lease l
       set expires_at = clock_timestamp() + p_lease_seconds * interval '1 second'
     where l.holder_id = p_holder_id and l.epoch = p_epoch
    returning 1)
  select exists (select from renewed);
$$;

-- Why a lease was not renewed: `superseded` by a newer life, which must not be fought, or `fenced` after it ran out.
create or replace function drover.refusal(p_holder_id integer, p_epoch bigint) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when exists (select from drover.holder h where h.id = p_holder_id and h.epoch > p_epoch)
    then 'superseded' else 'fenced' end;
$$;

-- The queues that a holder can serve and that have something ready, the longest waiting first.
-- Without settings of its own it is planned as a part of the statement that calls it.
create or replace function drover.ready_queues(p_holder drover.holder, p_class_names text[])
returns table (queue_id integer, class_id integer, class_name text, task_type text, executor text, namespace text)
language sql stable
begin atomic
  select q.id, c.id, c.name, q.task_type, q.executor, n.name
    from drover.queue q
    join drover.class c on c.id = q.class_id
    join drover.namespace n on n.id = q.namespace_id
    cross join lateral (
      select r.sort_key from drover.task_ready r where r.queue_id = q.id order by r.sort_key, r.task_id limit 1) head
   where c.paused_at is null
     and q.executor = any (p_holder.executors)
     and (p_class_names is null or c.name = any (p_class_names))
     and (p_holder.kind = 'node' or q.namespace_id = p_holder.namespace_id)
     -- What has to be placed first (docker and process tasks of type `placed`) is nobody's to take.
     and (q.task_type = '' or (q.executor in ('worker', 'llm') and (q.task_type = any (p_holder.task_types) or '*' = any (p_holder.task_types))))
   order by head.sort_key;
end;

-- One round trip of an agent: renew the lease, report free slots by class, get claimed tasks and what to cancel, what
-- changed of its replicas and requests since the revision that it has seen, and the interval until the next sync. Status `fenced` or `superseded`: the lease is gone; stop all leased work.
create or replace function node.sync(
  p_holder_id integer, p_epoch bigint, p_free_slots jsonb, p_is_listening boolean, p_seen_revision bigint,
  out status text, out lease_seconds integer, out next_sync_ms integer, out claims json, out cancels json,
  out revision bigint, out replicas json, out requests json
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- For the claim's plans, whatever the statistics say: index scans in order, and one look into drover.task per row.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
as $$
declare
  control drover.control;
  holder drover.holder;
  ready record;
  allowance record;
  batch json;
  batches json[] := '{}';
  task_ids bigint[] := '{}';
  batch_ids bigint[];
  free integer;
  has_more boolean := false;
  has_called boolean := false;
begin
  perform drover.authorize(p_holder_id);
  select * into control from drover.control;
  lease_seconds := control.lease_seconds;
  claims := '[]';
  cancels := '[]';
  if not drover.renew(p_holder_id, p_epoch, control.lease_seconds) then
    status := drover.refusal(p_holder_id, p_epoch);
    next_sync_ms := 1000;
    return;
  end if;
  status := 'ok';
  select * into holder from drover.holder h where h.id = p_holder_id;

  if holder.state = 'ready' and holder.cordoned_at is null and p_free_slots <> '{}' then
    if exists (select from drover.task_waiting w where w.until_at <= now()) then
      perform drover.promote(1000);
    end if;
    for ready in
      select p.queue_id, c.id as class_id, c.name as class_name, q.executor, n.name as namespace, count(*)::integer as placed
        from drover.task_placement p
        join drover.queue q on q.id = p.queue_id
        join drover.class c on c.id = q.class_id
        join drover.namespace n on n.id = q.namespace_id
       where p.holder_id = p_holder_id and p.fence is null and p_seen_revision is not null and c.paused_at is null
       group by 1, 2, 3, 4, 5 order by min(p.sort_key)
    loop
      select * into allowance from drover.class_allowance(ready.class_id, ready.placed);
      continue when allowance.allowed <= 0;
      select json_agg(json_build_object('task_id', q.task_id::text, 'fence', q.fence::text, 'attempt', q.attempt,
          'class', ready.class_name, 'executor', ready.executor, 'type', '', 'namespace', ready.namespace,
          'name', q.name, 'timeout_seconds', q.timeout_seconds, 'payload', q.payload, 'execution', q.execution,
          'gpus', drover.gpus_of(q.task_id, null))),
          array_agg(q.task_id)
        into batch, batch_ids
        from drover.claim_placed(p_holder_id, holder.namespace_id, ready.queue_id, allowance.limited_class_id, allowance.allowed) q;
      if batch_ids is not null then
        batches := batches || batch;
        task_ids := task_ids || batch_ids;
      end if;
    end loop;
    for ready in
      select * from drover.ready_queues(holder, array(select k from jsonb_each_text(p_free_slots) as s (k, v) where v::integer > 0))
    loop
      free := (p_free_slots ->> ready.class_name)::integer;
      continue when free <= 0;
      select * into allowance from drover.class_allowance(ready.class_id, free);
      if allowance.allowed <= 0 then
        continue;
      end if;
      if ready.executor = 'llm' then
        select json_agg(json_build_object('task_id', q.task_id::text, 'fence', q.fence::text, 'attempt', q.attempt,
            'class', ready.class_name, 'executor', ready.executor, 'type', ready.task_type, 'namespace', ready.namespace,
            'name', q.name, 'timeout_seconds', q.timeout_seconds, 'payload', q.payload, 'execution', q.execution,
            'grant', json_build_object('maxOutputTokens', q.max_output_tokens))),
            array_agg(q.task_id)
          into batch, batch_ids
          from drover.claim_calls(p_holder_id, holder.namespace_id, ready.queue_id, allowance.limited_class_id, allowance.allowed,
            not has_called) q;
        has_called := true;
        has_more := has_more or exists (select from drover.task_ready r where r.queue_id = ready.queue_id);
      else
        select json_agg(json_build_object('task_id', q.task_id::text, 'fence', q.fence::text, 'attempt', q.attempt,
            'class', ready.class_name, 'executor', ready.executor, 'type', ready.task_type, 'namespace', ready.namespace,
            'name', q.name, 'timeout_seconds', q.timeout_seconds, 'payload', q.payload, 'execution', q.execution)),
            array_agg(q.task_id)
          into batch, batch_ids
          from drover.claim_queue(p_holder_id, holder.namespace_id, ready.queue_id, allowance.limited_class_id, allowance.allowed) q;
      end if;
      if batch_ids is not null then
        batches := batches || batch;
        task_ids := task_ids || batch_ids;
        has_more := has_more or cardinality(batch_ids) = free;
        p_free_slots := jsonb_set(p_free_slots, array[ready.class_name], to_jsonb(free - cardinality(batch_ids)));
      end if;
    end loop;
    if cardinality(task_ids) > 0 then
      select json_agg(item) into claims from unnest(batches) b, json_array_elements(b) item;
    end if;
  end if;

  -- A drain whose time is over sends everything back; agents of the release before would take it for a cancellation.
  select coalesce(json_agg(json_build_object('task_id', l.task_id::text, 'fence', l.fence::text, 'reason', l.cancel_reason,
      'kind', case when l.cancel_requested_at is null then 'drained' else 'cancelled' end)), '[]')
    into cancels
    from drover.task_lease l
   where l.holder_id = p_holder_id
     and (l.cancel_requested_at is not null or (p_seen_revision is not null and holder.drain_deadline_at <= now()));

  revision := holder.revision;
  if p_seen_revision is distinct from revision and p_seen_revision is not null then
    replicas := drover.replicas_of(p_holder_id);
    requests := drover.requests_of(p_holder_id);
  end if;

  -- Busy holders come back soon, idle ones slowly; the whole fleet stays under the cap.
  next_sync_ms := greatest(
    case when has_more then 20 when cardinality(task_ids) > 0 then 200 when p_is_listening then 5000 else 1000 end,
    control.live_holders * 1000 / control.sync_rate_limit);
  next_sync_ms := least(next_sync_ms, control.lease_seconds * 1000 / 3);
end $$;

-- The same for agents of the release before, which know neither placed tasks nor replicas.
create or replace function node.sync(
  p_holder_id integer, p_epoch bigint, p_free_slots jsonb, p_is_listening boolean,
  out status text, out lease_seconds integer, out next_sync_ms integer, out claims json, out cancels json
)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
  select s.status, s.lease_seconds, s.next_sync_ms, s.claims, s.cancels
    from node.sync(p_holder_id, p_epoch, p_free_slots, p_is_listening, null) s;
$$;

-- A worker's claim: rows, for one that takes thousands a second. Renews its lease when `p_renew`.
-- No rows and `fenced` are told apart by node.renew.
create or replace function node.claim(p_holder_id integer, p_epoch bigint, p_limit integer)
returns table (task_id bigint, fence bigint, attempt integer, timeout_seconds integer, name text, payload json, type text, class text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- For the claim's plans, whatever the statistics say: index scans in order, and one look into drover.task per row.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  holder drover.holder;
  ready record;
  allowance record;
  remaining integer := p_limit;
  taken integer;
begin
  perform drover.authorize(p_holder_id);
  -- A newer life waits for the claims of the older one that are under way (node.register), so that it sees them all.
  perform pg_advisory_xact_lock_shared(1146244952, p_holder_id);
  select * into holder from drover.holder h
   where h.id = p_holder_id and h.epoch = p_epoch and h.state = 'ready'
     and exists (select from drover.holder_lease l where l.holder_id = p_holder_id and l.epoch = p_epoch);
  if not found then
    return;
  end if;
  if exists (select from drover.task_waiting w where w.until_at <= now()) then
    perform drover.promote(1000);
  end if;
  for ready in select * from drover.ready_queues(holder, holder.classes) loop
    exit when remaining <= 0;
    -- Calls of models are claimed by nodes, which are told what they were granted.
    continue when ready.executor = 'llm';
    select * into allowance from drover.class_allowance(ready.class_id, remaining);
    continue when allowance.allowed <= 0;
    return query
    select c.task_id, c.fence, c.attempt, c.timeout_seconds, c.name, c.payload, ready.task_type, ready.class_name
      from drover.claim_queue(p_holder_id, holder.namespace_id, ready.queue_id, allowance.limited_class_id, allowance.allowed) c;
    get diagnostics taken = row_count;
    remaining := remaining - taken;
  end loop;
end $$;

-- Renews a worker's lease; tells what it is asked to stop.
create or replace function node.renew(p_holder_id integer, p_epoch bigint, out status text, out lease_seconds integer, out cancels json)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform drover.authorize(p_holder_id);
  select c.lease_seconds into lease_seconds from drover.control c;
  status := case when drover.renew(p_holder_id, p_epoch, lease_seconds) then 'ok' else drover.refusal(p_holder_id, p_epoch) end;
  select coalesce(json_agg(json_build_object('task_id', l.task_id::text, 'fence', l.fence::text, 'reason', l.cancel_reason)), '[]')
    into cancels
    from drover.task_lease l
   where l.holder_id = p_holder_id and l.cancel_requested_at is not null;
end $$;
