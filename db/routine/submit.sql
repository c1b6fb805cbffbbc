-- Inserts tasks and makes them pending, or waiting where they are delayed; returns their keys in the order given.
-- Arrays are parallel; an array that is null as a whole means the default for every task.
create or replace function drover.submit(
  p_namespace_id integer, p_actor text, p_queue_ids integer[], p_payloads json[], p_executions json[], p_retries json[],
  p_labels jsonb[], p_priorities integer[], p_timeouts integer[], p_delays_ms bigint[], p_names text[]
) returns bigint[]
language plpgsql
set search_path = pg_catalog
set plan_cache_mode = force_generic_plan
as $$
declare
  base bigint := drover.id_base(clock_timestamp());
  ids bigint[] := array(select base | nextval('drover.id_sequence') from generate_series(1, cardinality(p_queue_ids)));
begin
  insert into drover.task (id, namespace_id, queue_id, priority, timeout_seconds, name, payload, execution, retry, labels)
  select u.id, p_namespace_id, u.queue_id, coalesce(u.priority, 0), coalesce(u.timeout, 1800), u.name, u.payload, u.execution, u.retry, u.labels
    from unnest(ids, p_queue_ids, p_payloads, p_executions, p_retries, p_labels, p_priorities, p_timeouts, p_names)
      as u (id, queue_id, payload, execution, retry, labels, priority, timeout, name);
  insert into drover.task_ready (queue_id, sort_key, task_id)
  select u.queue_id, drover.sort_key(u.id, coalesce(u.priority, 0)), u.id
    from unnest(ids, p_queue_ids, p_priorities, p_delays_ms) as u (id, queue_id, priority, delay_ms)
   where coalesce(u.delay_ms, 0) = 0;
  if p_delays_ms is not null then
    insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at)
    select u.id, u.queue_id, drover.sort_key(u.id, coalesce(u.priority, 0)), 0, 'delayed', now() + u.delay_ms * interval '1 millisecond'
      from unnest(ids, p_queue_ids, p_priorities, p_delays_ms) as u (id, queue_id, priority, delay_ms)
     where u.delay_ms > 0;
  end if;
  insert into drover.event (id, namespace_id, kind, actor, task_ids)
  values (drover.next_id(), p_namespace_id, 'task.submitted', p_actor, ids);
  return ids;
end $$;
