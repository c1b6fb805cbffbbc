-- What a call asks for; null where the execution does not say it in a way that can be read. One pass over the JSON.
create or replace function drover.read_call(p_execution json, out model text, out workflow text, out step text,
  out root_run_id bigint, out run_id bigint, out input_tokens bigint, out max_output_tokens bigint)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  call record;
begin
  if json_typeof(p_execution) is distinct from 'object' then
    return;
  end if;
  select * into call
    from json_to_record(p_execution) as x (model text, "inputTokens" json, "maxOutputTokens" json, charge json);
  model := nullif(call.model, '');
  workflow := call.charge ->> 'workflow';
  step := call.charge ->> 'step';
  root_run_id := drover.read_key(call.charge ->> 'rootRunId');
  run_id := drover.read_key(call.charge ->> 'runId');
  -- Who does not estimate is taken by the size: no token is shorter than a character.
  input_tokens := coalesce(drover.token_count(call."inputTokens"), length(p_execution::text));
  max_output_tokens := drover.token_count(call."maxOutputTokens");
end $$;

-- What the tasks at the head of a queue of calls ask for, and which limits and budgets each falls under.
create or replace function drover.read_requests(p_queue_id integer, p_ids bigint[], p_keys bigint[], p_attempts integer[]) returns drover.call_request[]
language plpgsql stable
as $$
begin
  return array(
    with asked as (
      select u.n, u.task_id, u.sort_key, u.attempt, t.namespace_id, coalesce(t.run_id, c.run_id) as run_id,
             coalesce(c.root_run_id, (select r.root_run_id from drover.workflow_run r where r.id = t.run_id)) as root_run_id,
             t.step_number, c.workflow, c.step, q.task_type as provider, c.model, c.input_tokens, c.max_output_tokens
        from unnest(p_ids, p_keys, p_attempts) with ordinality as u (task_id, sort_key, attempt, n)
        join drover.task t on t.id = u.task_id
        join drover.queue q on q.id = p_queue_id
       cross join lateral drover.read_call(t.execution) c
    ), kind as materialized (
      select k.*, coalesce(drover.limits_of(k.namespace_id, k.provider, k.model, k.workflow), '{}') as limit_ids
        from (select distinct a.namespace_id, a.provider, a.model, a.workflow from asked a) k
    ), purse as materialized (
      select k.*, coalesce(drover.budgets_of(k.namespace_id, k.provider, k.model, k.workflow, k.root_run_id, k.run_id, k.step_number), '{}') as budget_ids
        from (select distinct a.namespace_id, a.provider, a.model, a.workflow, a.root_run_id, a.run_id, a.step_number from asked a) k
    )
    select row(a.task_id, a.sort_key, a.attempt, a.namespace_id, a.run_id, a.root_run_id, a.step_number, a.workflow, a.step, a.provider,
             a.model, a.input_tokens, a.max_output_tokens, k.limit_ids, p.budget_ids)::drover.call_request
      from asked a
      join kind k on (k.namespace_id, k.provider, coalesce(k.model, ''), coalesce(k.workflow, ''))
        = (a.namespace_id, a.provider, coalesce(a.model, ''), coalesce(a.workflow, ''))
      join purse p on (p.namespace_id, p.provider, coalesce(p.model, ''), coalesce(p.workflow, ''),
          coalesce(p.root_run_id, 0), coalesce(p.run_id, 0), coalesce(p.step_number, -1))
        = (a.namespace_id, a.provider, coalesce(a.model, ''), coalesce(a.workflow, ''),
          coalesce(a.root_run_id, 0), coalesce(a.run_id, 0), coalesce(a.step_number, -1))
     order by a.n);
end $$;
