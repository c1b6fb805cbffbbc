-- Inserts tasks under the given keys and makes them pending, or waiting where they are delayed.
-- Arrays are parallel; an array that is null as a whole means the default for every task.
drop function if exists drover.insert_tasks(bigint[], integer, text, integer[], json[], json[], json[], jsonb[], integer[], integer[], bigint[], text[]);
create or replace function drover.insert_tasks(
  p_ids bigint[], p_namespace_id integer, p_actor text, p_queue_ids integer[], p_payloads json[], p_executions json[],
  p_retries json[], p_labels jsonb[], p_priorities integer[], p_timeouts integer[], p_delays_ms bigint[], p_names text[],
  p_run_ids bigint[] default null, p_steps integer[] default null, p_items integer[] default null
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  insert into drover.task (id, namespace_id, queue_id, priority, timeout_seconds, name, payload, execution, retry, labels,
    run_id, step_number, step_item)
  select u.id, p_namespace_id, u.queue_id, coalesce(u.priority, 0), coalesce(u.timeout, 1800), u.name, u.payload, u.execution, u.retry, u.labels,
         u.run_id, u.step, u.item
    from unnest(p_ids, p_queue_ids, p_payloads, p_executions, p_retries, p_labels, p_priorities, p_timeouts, p_names, p_run_ids, p_steps, p_items)
      as u (id, queue_id, payload, execution, retry, labels, priority, timeout, name, run_id, step, item);
  insert into drover.task_ready (queue_id, sort_key, task_id)
  select u.queue_id, drover.sort_key(u.id, coalesce(u.priority, 0)), u.id
    from unnest(p_ids, p_queue_ids, p_priorities, p_delays_ms) as u (id, queue_id, priority, delay_ms)
   where coalesce(u.delay_ms, 0) = 0;
  if p_delays_ms is not null then
    insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at)
    select u.id, u.queue_id, drover.sort_key(u.id, coalesce(u.priority, 0)), 0, 'delayed', now() + u.delay_ms * interval '1 millisecond'
      from unnest(p_ids, p_queue_ids, p_priorities, p_delays_ms) as u (id, queue_id, priority, delay_ms)
     where u.delay_ms > 0;
  end if;
  insert into drover.event (id, namespace_id, kind, actor, task_ids)
  values (drover.next_id(), p_namespace_id, 'task.submitted', p_actor, p_ids);
end $$;

-- Submits tasks whose ids the server makes; returns their keys in the order given. Hints, where there are any, leave
-- with the commit, a round trip sooner than a statement of their own: callers give some at most every few
-- milliseconds, since commits that notify go one after the other.
create or replace function drover.submit(
  p_namespace_id integer, p_actor text, p_queue_ids integer[], p_payloads json[], p_executions json[], p_retries json[],
  p_labels jsonb[], p_priorities integer[], p_timeouts integer[], p_delays_ms bigint[],
  p_hints text[] default null
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  base bigint := drover.id_base(clock_timestamp());
  ids bigint[] := array(select base | nextval('drover.id_sequence') from generate_series(1, cardinality(p_queue_ids)));
begin
  perform drover.insert_tasks(ids, p_namespace_id, p_actor, p_queue_ids, p_payloads, p_executions, p_retries, p_labels,
    p_priorities, p_timeouts, p_delays_ms, null);
  if p_hints is not null then
    perform pg_notify('drover_wake', hint) from unnest(p_hints) as hint;
  end if;
  return ids;
end $$;

-- Submits tasks that bring an id or an idempotency key. A key belongs to the body it was first used with:
-- the same body again is `existing`, another one a `conflict`. Keys are taken in sorted order, so that two
-- batches that share some wait for each other and never deadlock.
create or replace function drover.submit_named(
  p_namespace_id integer, p_actor text, p_queue_ids integer[], p_payloads json[], p_executions json[], p_retries json[],
  p_labels jsonb[], p_priorities integer[], p_timeouts integer[], p_delays_ms bigint[],
  p_names text[], p_keys text[], p_hashes bytea[]
) returns table (task_id bigint, verdict text)
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- The length of an array is unknown to a plan: nested loops over two of them took 9 s for 10,000 names.
set enable_nestloop = off
-- Nor does a plan made for an empty table fit a full one.
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  base bigint := drover.id_base(clock_timestamp());
  ids bigint[] := array(select base | nextval('drover.id_sequence') from generate_series(1, cardinality(p_queue_ids)));
  -- Of all items, and of those judged in this round: which did not get all their keys, and what they got.
  lost bigint[] := '{}';
  losers bigint[];
  spare_names text[];
  spare_keys text[];
  again bigint[];
  won integer[];
begin
  -- Almost always one round. An item whose rival in this batch was itself refused gets another try; every round
  -- settles at least the first of them, and what contradicts itself longer than this stays refused.
  for round in 1 .. 8 loop
    with wanted as (
      select 'id' as kind, u.name as key, u.id, u.hash from unnest(p_names, ids, p_hashes) as u (name, id, hash) where u.name is not null
      union all
      select 'idempotency', u.key, u.id, u.hash from unnest(p_keys, ids, p_hashes) as u (key, id, hash) where u.key is not null
    ), asked as (
      select * from wanted w where again is null or w.id = any (again)
    ), taken as (
      insert into drover.task_key (namespace_id, kind, key, task_id, request_hash)
      select p_namespace_id, w.kind, w.key, w.id, w.hash from asked w order by w.kind, w.key, w.id
      on conflict do nothing
      returning task_id, kind, key
    ), missed as (
      select distinct w.id from asked w where not exists (select from taken t where t.task_id = w.id and t.kind = w.kind)
    )
    select (select array_agg(m.id) from missed m),
           array_agg(t.key) filter (where t.kind = 'id'), array_agg(t.key) filter (where t.kind = 'idempotency')
      into losers, spare_names, spare_keys
      from taken t join missed m on m.id = t.task_id;
    lost := array(select unnest(lost) except select unnest(again) union select unnest(losers));
    -- An item that won one of its keys and lost the other is not new: it gives the one back.
    exit when spare_names is null and spare_keys is null;
    delete from drover.task_key k where k.namespace_id = p_namespace_id and k.kind = 'id' and k.key = any (spare_names);
    delete from drover.task_key k where k.namespace_id = p_namespace_id and k.kind = 'idempotency' and k.key = any (spare_keys);
    select array_agg(u.id) into again
      from unnest(ids, p_names, p_keys) as u (id, name, key)
      join unnest(losers) as l (id) on l.id = u.id
     where (select k.task_id from drover.task_key k where k.namespace_id = p_namespace_id and k.kind = 'id' and k.key = u.name) is null
       and (select k.task_id from drover.task_key k
             where k.namespace_id = p_namespace_id and k.kind = 'idempotency' and k.key = u.key) is null;
    exit when again is null;
  end loop;

  select array_agg(o.n order by o.n) into won
    from unnest(ids) with ordinality as o (id, n)
   where not exists (select from unnest(lost) as l (id) where l.id = o.id);
  if won is not null then
    perform drover.insert_tasks(
      array(select ids[n] from unnest(won) n), p_namespace_id, p_actor, array(select p_queue_ids[n] from unnest(won) n),
      array(select p_payloads[n] from unnest(won) n), array(select p_executions[n] from unnest(won) n),
      array(select p_retries[n] from unnest(won) n), array(select p_labels[n] from unnest(won) n),
      array(select p_priorities[n] from unnest(won) n), array(select p_timeouts[n] from unnest(won) n),
      case when p_delays_ms is null then null else array(select p_delays_ms[n] from unnest(won) n) end,
      array(select p_names[n] from unnest(won) n));
  end if;
  return query
  select case when l.id is null then o.id
              when (k.by_name).request_hash <> o.hash then (k.by_name).task_id
              when (k.by_key).request_hash <> o.hash then (k.by_key).task_id
              else coalesce((k.by_name).task_id, (k.by_key).task_id, o.id) end,
         case when l.id is null then 'created'
              when coalesce((k.by_name).task_id, (k.by_key).task_id) is null then 'conflict'
              when coalesce((k.by_name).request_hash, o.hash) = o.hash and coalesce((k.by_key).request_hash, o.hash) = o.hash then 'existing'
              else 'conflict' end
    from unnest(ids, p_names, p_keys, p_hashes) with ordinality as o (id, name, key, hash, n)
    left join unnest(lost) as l (id) on l.id = o.id
   cross join lateral (
      select (select t from drover.task_key t
               where l.id is not null and t.namespace_id = p_namespace_id and t.kind = 'id' and t.key = o.name) as by_name,
             (select t from drover.task_key t
               where l.id is not null and t.namespace_id = p_namespace_id and t.kind = 'idempotency' and t.key = o.key) as by_key
      offset 0) k
   order by o.n;
end $$;

-- Records tasks that cannot run at all as failed from the start, so that every accepted task ends.
create or replace function drover.submit_failed(
  p_namespace_id integer, p_actor text, p_queue_id integer, p_payload json, p_name text, p_hash bytea, p_error json
) returns table (task_id bigint, verdict text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  select s.task_id, s.verdict into task_id, verdict
    from drover.submit_named(p_namespace_id, p_actor, array[p_queue_id], array[p_payload], null, null, null, null, null, null,
      array[p_name], null, array[p_hash]) s;
  if verdict = 'created' then
    delete from drover.task_ready r where r.queue_id = p_queue_id and r.task_id = submit_failed.task_id
      and r.sort_key = drover.sort_key(submit_failed.task_id, 0);
    insert into drover.task_final (task_id, state, attempt, error) values (submit_failed.task_id, 'failed', 0, p_error);
    insert into drover.event (id, namespace_id, kind, actor, task_ids, data)
    values (drover.next_id(), p_namespace_id, 'task.failed', p_actor, array[submit_failed.task_id], json_build_object('error', p_error));
  end if;
  return next;
end $$;
