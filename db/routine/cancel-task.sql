-- Cancels a task wherever it is. Returns the state it has afterwards: cancelled, running (its holder has been asked),
-- or the final state that it already had; null when there is no such task.
create or replace function drover.cancel_task(p_task_id bigint, p_reason text, p_actor text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  task drover.task;
  gone_attempt integer;
  final_state text;
  asked_holder integer;
begin
  select * into task from drover.task t where t.id = p_task_id;
  if not found then
    return null;
  end if;
  -- A row may move while we look; each look is a new snapshot, and a second round finds it.
  for round in 1 .. 4 loop
    delete from drover.task_ready r
     where r.queue_id = task.queue_id and r.sort_key = drover.sort_key(task.id, task.priority) and r.task_id = task.id
    returning r.attempt into gone_attempt;
    if not found then
      delete from drover.task_waiting w where w.task_id = task.id returning w.attempt into gone_attempt;
    end if;
    if gone_attempt is not null then
      delete from drover.task_placement p where p.task_id = task.id;
      insert into drover.task_final (task_id, state, attempt, error)
      values (task.id, 'cancelled', gone_attempt, json_build_object('class', 'cancelled', 'message', p_reason));
      insert into drover.event (id, namespace_id, kind, actor, task_ids, data)
      values (drover.next_id(), task.namespace_id, 'task.cancelled', p_actor, array[task.id], json_build_object('reason', p_reason));
      if task.run_id is not null then
        perform drover.signal_tasks(array[task.run_id], array[task.id]);
      end if;
      return 'cancelled';
    end if;
    update drover.task_lease l
       set cancel_requested_at = coalesce(l.cancel_requested_at, now()), cancel_reason = coalesce(l.cancel_reason, p_reason)
     where l.task_id = task.id
    returning l.holder_id into asked_holder;
    if found then
      insert into drover.event (id, namespace_id, kind, actor, task_ids, data)
      values (drover.next_id(), task.namespace_id, 'task.cancel_requested', p_actor, array[task.id], json_build_object('reason', p_reason));
      return 'running';
    end if;
    select f.state into final_state from drover.task_final f where f.task_id = task.id;
    if found then
      return final_state;
    end if;
  end loop;
  raise exception 'the task moved faster than it could be cancelled' using errcode = 'serialization_failure';
end $$;

-- Puts a failed or cancelled task back into its queue, with a new count of failures. Returns its state afterwards.
create or replace function drover.redrive_task(p_task_id bigint, p_actor text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  task drover.task;
  last_attempt integer;
  current_state text;
begin
  select * into task from drover.task t where t.id = p_task_id;
  if not found then
    return null;
  end if;
  -- Its run has seen it end and gone on: the run is what can be resumed.
  if task.run_id is not null then
    return 'belongs_to_run';
  end if;
  delete from drover.task_final f where f.task_id = p_task_id and f.state in ('failed', 'cancelled')
  returning f.attempt into last_attempt;
  if not found then
    select s.state into current_state from drover.task_state(array[p_task_id]) s;
    return current_state;
  end if;
  update drover.task_attempt a set is_counted = false where a.task_id = p_task_id and a.is_counted;
  perform drover.requeue(task.id, task.queue_id, last_attempt);
  insert into drover.event (id, namespace_id, kind, actor, task_ids)
  values (drover.next_id(), task.namespace_id, 'task.redriven', p_actor, array[task.id]);
  return 'pending';
end $$;

-- Where tasks are: the place is the state.
create or replace function drover.task_state(p_task_ids bigint[])
returns table (task_id bigint, state text)
language sql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
  select t.id, case
      when f.task_id is not null then f.state
      when l.task_id is not null then 'running'
      when w.task_id is not null then 'waiting'
      else 'pending' end
    from drover.task t
    left join drover.task_final f on f.task_id = t.id
    left join drover.task_lease l on l.task_id = t.id
    left join drover.task_waiting w on w.task_id = t.id
   where t.id = any (p_task_ids)
$$;
