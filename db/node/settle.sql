-- Whether the caller is the current life of a holder: an older one must not settle what the newer one has taken up.
create or replace function drover.is_current(p_holder_id integer, p_epoch bigint) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from drover.holder h where h.id = p_holder_id and h.epoch = p_epoch);
$$;

-- Completes attempts in one batch. The current fence wins: keys that are not returned are done,
-- the returned ones were stale and their results are dropped.
create or replace function node.complete(p_holder_id integer, p_epoch bigint, p_task_ids bigint[], p_fences bigint[], p_results json[])
returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_nestloop = off
as $$
declare
  done_ids bigint[];
  step_run_ids bigint[];
  step_task_ids bigint[];
  -- Leases that are charged: calls of models and GPUs.
  call_ids bigint[];
  call_task_ids bigint[];
  gpu_task_ids bigint[];
  gpu_counts integer[];
  gpu_starts timestamptz[];
begin
  perform drover.authorize(p_holder_id);
  if not drover.is_current(p_holder_id, p_epoch) then
    return query select u from unnest(p_task_ids) u;
    return;
  end if;
  with done as (
    -- A fence belongs to one claim, so matching keys and fences apart is exact; arrays keep the plan an index scan
    -- in key order whatever the statistics say (a join planned for few rows took 180 ms for 1,000).
    delete from drover.task_lease l
     where l.task_id = any (p_task_ids) and l.fence = any (p_fences) and l.holder_id = p_holder_id
    returning l.task_id, l.fence, l.attempt, l.started_at, l.run_id, l.call_id, l.gpu_count
  ), final as (
    insert into drover.task_final (task_id, state, attempt, holder_id, started_at, finished_at, result)
    select d.task_id, 'completed', d.attempt, p_holder_id, d.started_at, clock_timestamp(), i.result
      from done d
      left join unnest(p_task_ids, p_fences, p_results) as i (task_id, fence, result) on i.task_id = d.task_id and i.fence = d.fence
  )
  select array_agg(d.task_id), array_agg(d.run_id) filter (where d.run_id is not null),
         array_agg(d.task_id) filter (where d.run_id is not null),
         array_agg(d.call_id) filter (where d.call_id is not null), array_agg(d.task_id) filter (where d.call_id is not null),
         array_agg(d.task_id) filter (where d.gpu_count is not null), array_agg(d.gpu_count) filter (where d.gpu_count is not null),
         array_agg(d.started_at) filter (where d.gpu_count is not null)
    into done_ids, step_run_ids, step_task_ids, call_ids, call_task_ids, gpu_task_ids, gpu_counts, gpu_starts
    from done d;
  if done_ids is not null then
    insert into drover.event (id, namespace_id, kind, actor, task_ids)
    select drover.next_id(), h.namespace_id, 'task.completed', 'holder:' || p_holder_id, done_ids
      from drover.holder h where h.id = p_holder_id;
  end if;
  if step_run_ids is not null then
    perform drover.signal_tasks(step_run_ids, step_task_ids);
  end if;
  if call_ids is not null then
    perform drover.settle_answers(call_ids, call_task_ids, p_task_ids, p_results);
  end if;
  if gpu_task_ids is not null then
    perform drover.end_placements(gpu_task_ids);
    perform drover.charge_gpus(gpu_task_ids, gpu_counts, gpu_starts);
  end if;
  if coalesce(cardinality(done_ids), 0) < cardinality(p_task_ids) then
    return query select u from unnest(p_task_ids) u where done_ids is null or u <> all (done_ids);
  end if;
end $$;

-- Ends attempts that did not complete: each is retried, failed for good, cancelled or handed back,
-- by its error class and the task's policy. Returns the stale keys.
create or replace function node.fail(
  p_holder_id integer, p_epoch bigint, p_task_ids bigint[], p_fences bigint[], p_classes text[], p_messages text[],
  p_details json[], p_results json[], p_retry_after_ms bigint[]
) returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  item record;
  lease drover.task_lease;
  -- What is charged is charged at the end, after all rows of leases are ours.
  charged drover.task_lease[] := '{}';
  usages json[] := '{}';
  requests boolean[] := '{}';
  pauses bigint[] := '{}';
begin
  perform drover.authorize(p_holder_id);
  if not drover.is_current(p_holder_id, p_epoch) then
    return query select u from unnest(p_task_ids) u;
    return;
  end if;
  for item in
    select * from unnest(p_task_ids, p_fences, p_classes, p_messages, p_details, p_results, p_retry_after_ms)
      as u (task_id, fence, class, message, details, result, retry_after_ms)
     order by 1
  loop
    delete from drover.task_lease l
     where l.task_id = item.task_id and l.fence = item.fence and l.holder_id = p_holder_id
    returning * into lease;
    if found then
      perform drover.settle_attempt(lease, coalesce(nullif(item.class, ''), 'error'), item.message, item.details, item.result, item.retry_after_ms);
      if lease.call_id is not null or lease.gpu_count is not null then
        charged := charged || lease;
        usages := usages || coalesce(drover.usage_of(item.details), drover.usage_of(item.result));
        requests := requests || (coalesce(item.class, '') not in ('released', 'invalid_execution'));
        pauses := pauses || case when item.class = 'rate_limited' and lease.call_id is not null
          then drover.pause_ms(item.retry_after_ms, drover.limited_rounds(lease.task_id) - 1) end;
      end if;
    else
      return next item.task_id;
    end if;
  end loop;
  if charged <> '{}' then
    perform drover.charge_ended(charged, usages, requests, pauses);
  end if;
end $$;

-- Appends a chunk of an attempt's log, once however often it is sent; false when the claim is no longer held.
create or replace function node.log(p_holder_id integer, p_epoch bigint, p_task_id bigint, p_fence bigint, p_chunk integer, p_lines json) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  perform drover.authorize(p_holder_id);
  insert into drover.task_log (task_id, attempt, chunk, lines)
  select l.task_id, l.attempt, p_chunk, p_lines
    from drover.task_lease l
   where l.task_id = p_task_id and l.fence = p_fence and l.holder_id = p_holder_id and drover.is_current(p_holder_id, p_epoch)
  on conflict do nothing;
  return found or exists (
    select from drover.task_lease l
     where l.task_id = p_task_id and l.fence = p_fence and l.holder_id = p_holder_id and drover.is_current(p_holder_id, p_epoch));
end $$;
