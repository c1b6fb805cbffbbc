-- Tells runs that tasks of theirs have ended, in the transaction that ended them, and whoever advances runs
-- that there is something to do.
create or replace function drover.signal_tasks(p_run_ids bigint[], p_task_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  insert into drover.run_signal (run_id, kind, task_id)
  select u.run_id, 'task', u.task_id from unnest(p_run_ids, p_task_ids) as u (run_id, task_id);
  perform pg_notify('drover_wake', 'advance');
end $$;

-- Milliseconds to wait before the next attempt; the twin of retryDelayMs in packages/domain/src/retry.ts.
drop function if exists drover.retry_delay_ms(bigint, bigint, integer, double precision);
create or replace function drover.retry_delay_ms(
  strategy text, base_ms bigint, max_ms bigint, factor double precision, failures integer, jitter double precision
) returns bigint
language sql immutable parallel safe
return floor(least(max_ms::double precision, case strategy
  when 'immediate' then 0
  when 'constant' then base_ms
  when 'linear' then base_ms::double precision * failures
  -- Beyond this every factor above 1 is past any ceiling, and double precision would overflow.
  else base_ms * power(factor, least(failures - 1, 62)) end) * (0.5 + jitter / 2))::bigint;

-- Puts a task whose lease is gone back into its queue.
create or replace function drover.requeue(p_task_id bigint, p_queue_id integer, p_attempt integer) returns void
language sql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
  insert into drover.task_ready (queue_id, sort_key, task_id, attempt)
  select p_queue_id, drover.sort_key(t.id, t.priority), t.id, p_attempt from drover.task t where t.id = p_task_id;
$$;

-- Settles one attempt that did not complete, whose lease row the caller has just deleted:
-- retry, final failure, cancellation, or a way back into the queue.
create or replace function drover.settle_attempt(
  p_lease drover.task_lease, p_class text, p_message text, p_details json, p_result json, p_retry_after_ms bigint
) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  task drover.task;
  policy record;
  tally record;
  verdict text;
  delay_ms bigint;
  -- Ten years: what is later than the calendar of timestamps could not be stored.
  longest_delay_ms constant bigint := 315360000000;
  -- How often in a row a model's provider refused this task for now.
  rounds bigint := 0;
  error json := json_build_object('class', p_class, 'message', p_message, 'details', p_details);
begin
  select * into task from drover.task t where t.id = p_lease.task_id;
  -- Numeric takes any number that JSON can hold: a policy that cannot be read would keep its task from ever ending.
  select coalesce((task.retry ->> 'maxAttempts')::numeric, 3) as max_attempts,
         least(coalesce((task.retry ->> 'baseDelayMs')::numeric, 1000), longest_delay_ms)::bigint as base_ms,
         least(coalesce((task.retry ->> 'maxDelayMs')::numeric, 60000), longest_delay_ms)::bigint as max_ms,
         coalesce(task.retry ->> 'strategy', 'exponential') as strategy,
         least(coalesce((task.retry ->> 'factor')::numeric, 2), 1000)::double precision as factor,
         coalesce((task.retry ->> 'hasJitter')::boolean, true) as has_jitter,
         coalesce(task.retry -> 'noRetryOn', '[]'::json)::jsonb ? p_class
           or not coalesce((task.retry -> 'retryOn')::jsonb ? p_class, true) as is_excluded
    into policy;
  select count(*) filter (where a.outcome = 'failed') + 1 as failures,
         count(*) filter (where a.outcome = 'lost') + 1 as losses,
         (select count(distinct h) from (
            select b.holder_id as h from drover.task_attempt b
             where b.task_id = p_lease.task_id and b.outcome = 'lost' and b.is_counted
            union select p_lease.holder_id) lost) as holders
    into tally
    from drover.task_attempt a
   where a.task_id = p_lease.task_id and a.is_counted;

  if p_class = 'rate_limited' and p_lease.call_id is not null then
    rounds := drover.limited_rounds(p_lease.task_id);
  end if;

  verdict := case
    when p_lease.cancel_requested_at is not null or p_class = 'cancelled' then 'cancelled'
    when p_class in ('drained', 'released') then 'released'
    when p_class in ('lease_expired', 'lease_lost', 'agent_restarted', 'gpu_lost') then
      case when (tally.losses >= 3 and tally.holders >= 2) or tally.losses >= 10 then 'quarantined' else 'lost' end
    when p_class in ('provider_refused', 'provider_denied', 'content_filtered', 'limit_exceeded', 'budget_exceeded', 'invalid_execution', 'mount_refused', 'quarantined') or policy.is_excluded then 'failed'
    -- The call was not taken: it waits as long as the provider says, which is no failure of its own.
    when p_class = 'rate_limited' and p_lease.call_id is not null and rounds < 20 then 'limited'
    when tally.failures >= policy.max_attempts then 'failed'
    else 'retrying'
  end;

  if verdict in ('cancelled', 'failed', 'quarantined') then
    if verdict = 'quarantined' then
      error := json_build_object('class', 'quarantined', 'message',
        format('The task lost its lease %s times on %s holders; it is kept from running until someone retries it. Last: %s',
          tally.losses, tally.holders, p_message), 'details', p_details);
    elsif verdict = 'cancelled' then
      error := json_build_object('class', 'cancelled', 'message', coalesce(p_lease.cancel_reason, p_message), 'details', p_details);
    end if;
    insert into drover.task_final (task_id, state, attempt, holder_id, started_at, result, error)
    values (p_lease.task_id, case verdict when 'cancelled' then 'cancelled' else 'failed' end,
      p_lease.attempt, p_lease.holder_id, p_lease.started_at, p_result, error);
    if p_lease.run_id is not null then
      perform drover.signal_tasks(array[p_lease.run_id], array[task.id]);
    end if;
  else
    insert into drover.task_attempt (task_id, fence, attempt, holder_id, started_at, outcome, error)
    values (p_lease.task_id, p_lease.fence, p_lease.attempt, p_lease.holder_id, p_lease.started_at,
      case verdict when 'retrying' then 'failed' when 'limited' then 'released' else verdict end, error);
    if verdict = 'limited' then
      insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at, blocker)
      values (task.id, p_lease.queue_id, drover.sort_key(task.id, task.priority), p_lease.attempt, 'rate_limited',
        -- A little after the pause of its model, which is written at the end of this transaction.
        clock_timestamp() + (drover.pause_ms(p_retry_after_ms, rounds) + 50) * interval '1 millisecond',
        'its provider, which refused it for now (429)');
    elsif verdict = 'retrying' then
      delay_ms := least(longest_delay_ms, coalesce(p_retry_after_ms,
        drover.retry_delay_ms(policy.strategy, policy.base_ms, policy.max_ms, policy.factor,
          tally.failures::integer, case when policy.has_jitter then random() else 1 end)));
      insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at)
      values (task.id, p_lease.queue_id, drover.sort_key(task.id, task.priority), p_lease.attempt, 'retrying',
        clock_timestamp() + delay_ms * interval '1 millisecond');
    else
      perform drover.requeue(task.id, p_lease.queue_id, case verdict when 'released' then p_lease.attempt - 1 else p_lease.attempt end);
    end if;
  end if;

  insert into drover.event (id, namespace_id, kind, actor, task_ids, data)
  values (drover.next_id(), task.namespace_id,
    case verdict when 'cancelled' then 'task.cancelled' when 'failed' then 'task.failed' when 'quarantined' then 'task.failed'
      when 'retrying' then 'task.retrying' else 'task.' || verdict end,
    'holder:' || p_lease.holder_id, array[task.id],
    json_build_object('attempt', p_lease.attempt, 'error', error));
  return verdict;
end $$;

-- How often in a row a task was refused with 429 last.
create or replace function drover.limited_rounds(p_task_id bigint) returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select count(*) from drover.task_attempt a
   where a.task_id = p_task_id and a.is_counted and a.outcome = 'released' and a.error ->> 'class' = 'rate_limited'
     and a.fence > coalesce((
       select max(b.fence) from drover.task_attempt b
        where b.task_id = p_task_id and not (b.outcome = 'released' and b.error ->> 'class' = 'rate_limited')), 0);
$$;

-- Takes back leases whose holder is gone or whose deadline has passed; each counts as a loss, or as a timeout.
create or replace function drover.take_back(p_task_ids bigint[], p_fences bigint[], p_class text, p_message text) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return drover.take_back_each(p_task_ids, p_fences, array_fill(p_class, array[coalesce(cardinality(p_task_ids), 0)]),
    array_fill(p_message, array[coalesce(cardinality(p_task_ids), 0)]));
end $$;

-- The same with a reason for each. Everything that is charged is charged at the end, after all rows of leases are ours.
create or replace function drover.take_back_each(p_task_ids bigint[], p_fences bigint[], p_classes text[], p_messages text[]) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  lease drover.task_lease;
  place integer;
  charged drover.task_lease[] := '{}';
  taken integer := 0;
begin
  -- In the order of keys, as completions lock them, so that neither waits for the other in a circle.
  perform from drover.task_lease l where l.task_id = any (p_task_ids) and l.fence = any (p_fences) order by l.task_id for update;
  for lease in
    delete from drover.task_lease l
     where l.task_id = any (p_task_ids) and l.fence = any (p_fences)
    returning l.*
  loop
    place := array_position(p_fences, lease.fence);
    perform drover.settle_attempt(lease, p_classes[place], p_messages[place], null, null, null);
    if lease.call_id is not null or lease.gpu_count is not null then
      charged := charged || lease;
    end if;
    taken := taken + 1;
  end loop;
  if charged <> '{}' then
    -- Whether the call was made, and what it used, nobody knows: it is released.
    perform drover.charge_ended(charged, array_fill(null::json, array[cardinality(charged)]),
      array_fill(false, array[cardinality(charged)]), null);
  end if;
  return taken;
end $$;
