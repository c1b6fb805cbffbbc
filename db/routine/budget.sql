-- The beginning of the period that a time lies in; null where there are none.
create or replace function drover.period_start(p_period text, p_at timestamptz) returns timestamptz
language sql stable parallel safe
return case when p_period <> 'none' then date_trunc(p_period, p_at at time zone 'utc') at time zone 'utc' end;

create or replace function drover.period_end(p_period text, p_at timestamptz) returns timestamptz
language sql stable parallel safe
return case p_period when 'day' then (date_trunc('day', p_at at time zone 'utc') + interval '1 day') at time zone 'utc'
  when 'month' then (date_trunc('month', p_at at time zone 'utc') + interval '1 month') at time zone 'utc' end;

-- The budgets that a call has to fit into: those of its namespace and workflow, and those of the runs and steps
-- that it is a part of, however deep.
create or replace function drover.budgets_of(
  p_namespace_id integer, p_provider text, p_model text, p_workflow text, p_root_run_id bigint, p_run_id bigint, p_step_number integer
) returns bigint[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found_ids bigint[];
  of_runs bigint[];
begin
  select array_agg(b.id) into found_ids
    from drover.budget b
   where b.namespace_id = p_namespace_id and b.root_run_id is null
     and (b.workflow is null or b.workflow = p_workflow)
     and (b.provider is null or b.provider = p_provider)
     and drover.selects(b.model, p_model);
  if p_root_run_id is null or not exists (select from drover.budget b where b.root_run_id = p_root_run_id) then
    return found_ids;
  end if;
  with recursive up as (
    select p_run_id as run_id, p_step_number as step_number
    union
    select r.parent_run_id, r.parent_step
      from up join drover.workflow_run r on r.id = up.run_id
     where r.parent_run_id is not null
  )
  select array_agg(distinct b.id) into of_runs
    from drover.budget b
   where b.root_run_id = p_root_run_id
     and (b.scope = 'run' and b.run_id = p_root_run_id
          or exists (select from up where up.run_id = b.run_id and (b.scope = 'run' or b.step_number = up.step_number)))
     and (b.provider is null or b.provider = p_provider)
     and drover.selects(b.model, p_model);
  return found_ids || of_runs;
end $$;

-- A budget as people read it.
create or replace function drover.budget_text(p_budget drover.budget) returns text
language sql stable
return format('budget %s(%s%s)', case p_budget.scope when 'run' then 'of the run ' when 'step' then format('of step %s ', p_budget.step) else p_budget.name || ' ' end,
  drover.money_text(p_budget.limit_nanos), case p_budget.period when 'none' then '' else ' a ' || p_budget.period end);

-- Makes a named budget or changes its amount and what it does; what it covers stays, or it would not know what was spent.
create or replace function drover.set_budget(
  p_namespace_id integer, p_name text, p_scope text, p_workflow text, p_provider text, p_model text, p_period text, p_limit_nanos bigint,
  p_alert_percents integer[], p_when_exceeded text, p_actor text
) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  before drover.budget;
begin
  insert into drover.budget (namespace_id, name, scope, workflow, provider, model, period, limit_nanos, alert_percents, when_exceeded,
    period_started_at, actor)
  values (p_namespace_id, p_name, p_scope, p_workflow, p_provider, p_model, p_period, p_limit_nanos, p_alert_percents, p_when_exceeded,
    drover.period_start(p_period, clock_timestamp()), p_actor)
  on conflict on constraint budget_name_is_unique do nothing;
  select * into before from drover.budget b where b.namespace_id = p_namespace_id and b.name = p_name for update;
  if (before.scope, before.workflow, before.provider, before.model, before.period)
     is distinct from (p_scope, p_workflow, p_provider, p_model, p_period) then
    return 'conflict';
  end if;
  update drover.budget b
     set limit_nanos = p_limit_nanos, alert_percents = p_alert_percents, when_exceeded = p_when_exceeded, actor = p_actor,
         -- A threshold that is now above what was spent is told again when it is passed.
         alerted_percent = least(b.alerted_percent, coalesce(
           (select max(p) from unnest(p_alert_percents) p where b.spent_nanos >= p_limit_nanos / 100.0 * p), 0)),
         updated_at = now()
   where b.id = before.id;
  perform drover.admit('{}', array[before.id]);
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), p_namespace_id, 'budget.set', p_actor, json_build_object('name', p_name, 'limitNanos', p_limit_nanos::text));
  return 'set';
end $$;

-- Removes a named budget; who waited for it is looked at again. False where there is none.
create or replace function drover.delete_budget(p_namespace_id integer, p_name text, p_actor text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  gone_id bigint;
begin
  delete from drover.budget b where b.namespace_id = p_namespace_id and b.name = p_name returning id into gone_id;
  if not found then
    return false;
  end if;
  -- Who is locked is being looked at already, perhaps by one who waits for this very budget.
  update drover.task_waiting w set until_at = now(), budget_id = null
   where w.task_id = any (array(select v.task_id from drover.task_waiting v where v.budget_id = gone_id for update skip locked));
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), p_namespace_id, 'budget.deleted', p_actor, json_build_object('name', p_name));
  return true;
end $$;

-- Opens the budgets of a run and of steps of it, in the transaction that makes the run; once, however often it is called.
create or replace function drover.open_budgets(
  p_namespace_id integer, p_root_run_id bigint, p_run_id bigint, p_limit_nanos bigint, p_step_numbers integer[], p_steps text[],
  p_step_limits bigint[]
) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  insert into drover.budget (namespace_id, scope, root_run_id, run_id, step_number, step, limit_nanos, alert_percents)
  select p_namespace_id, 'run', p_root_run_id, p_run_id, null, null, p_limit_nanos, '{80,100}'::integer[] where p_limit_nanos is not null
  union all
  select p_namespace_id, 'step', p_root_run_id, p_run_id, u.number, u.step, u.limit_nanos, '{80,100}'::integer[]
    from unnest(p_step_numbers, p_steps, p_step_limits) as u (number, step, limit_nanos)
  on conflict do nothing;
$$;

-- Tells thresholds that were passed, each once in a period. The caller holds the budgets' locks.
create or replace function drover.alert_budgets(p_budget_ids bigint[]) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  with crossed as (
    select b.id, p.percent
      from drover.budget b, unnest(b.alert_percents) as p (percent)
     where b.id = any (p_budget_ids) and p.percent > b.alerted_percent and b.limit_nanos > 0
       and b.spent_nanos >= b.limit_nanos / 100.0 * p.percent
  ), marked as (
    update drover.budget b set alerted_percent = (select max(c.percent) from crossed c where c.id = b.id)
     where b.id in (select c.id from crossed c)
  )
  insert into drover.event (id, namespace_id, kind, actor, data, run_ids)
  select drover.next_id(), b.namespace_id, 'budget.alert', 'ledger',
         json_build_object('budget', drover.budget_text(b), 'name', b.name, 'percent', c.percent, 'spentNanos', b.spent_nanos::text,
           'limitNanos', b.limit_nanos::text, 'periodStartedAt', b.period_started_at),
         case when b.run_id is null then '{}' else array[b.run_id] end
    from crossed c join drover.budget b on b.id = c.id;
$$;
