-- Ends calls whose leases the caller has just deleted: what was used is charged, the rest of what was held goes back.
-- Arrays are parallel. Usage: what the provider counted; a JSON object that says nothing readable is charged as
-- reserved; null: nothing is known to have been used. A pause keeps others of the same model from calling for so long.
create or replace function drover.settle_calls(p_call_ids bigint[], p_usages json[], p_is_request boolean[], p_pauses_ms bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- One look by key into the week of each call, whatever the statistics say and the callers have set.
set enable_nestloop = on
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
declare
  touched_limits integer[];
  touched_budgets bigint[];
  clock timestamptz;
begin
  select array_agg(distinct l.id), array_agg(distinct b.id) into touched_limits, touched_budgets
    from unnest(p_call_ids) as u (call_id)
    join drover.ledger e on e.id = u.call_id
    left join lateral unnest(e.limit_ids) as l (id) on true
    left join lateral unnest(e.budget_ids) as b (id) on true;
  perform from drover.rate_limit l where l.id = any (touched_limits) order by l.id for update;
  perform from drover.budget b where b.id = any (touched_budgets) order by b.id for update;
  clock := clock_timestamp();
  with used as (
    select e.id as call_id, u.usage is not null as is_settled, u.usage is not null or coalesce(u.is_request, false) as is_request,
           c.input_tokens is not null and c.output_tokens is not null as is_counted, c.input_tokens, c.output_tokens
      from unnest(p_call_ids, p_usages, p_is_request) as u (call_id, usage, is_request)
      join drover.ledger e on e.id = u.call_id
     cross join lateral (select drover.token_count(u.usage -> 'inputTokens') as input_tokens,
                                drover.token_count(u.usage -> 'outputTokens') as output_tokens) c
  ), ended as (
    insert into drover.ledger (id, at, kind, namespace_id, call_id, task_id, run_id, root_run_id, workflow, step, provider, model,
      requests, input_tokens, output_tokens, cost_nanos, held_tokens, held_nanos, limit_ids, budget_ids)
    select drover.next_id(), clock, case when u.is_settled then 'settle' else 'release' end, e.namespace_id, e.call_id, e.task_id,
           e.run_id, e.root_run_id, e.workflow, e.step, e.provider, e.model, u.is_request::integer,
           case when u.is_counted then u.input_tokens when u.is_settled then e.held_tokens else 0 end,
           case when u.is_counted then u.output_tokens else 0 end,
           case when u.is_counted
             then coalesce(drover.call_cost(u.input_tokens, u.output_tokens, p.input_nanos_per_million, p.output_nanos_per_million), 0)
             when u.is_settled then e.held_nanos else 0 end,
           -e.held_tokens, -e.held_nanos, e.limit_ids, e.budget_ids
      from used u
      join drover.ledger e on e.id = u.call_id
      left join lateral drover.price_of(e.provider, e.model, e.at) p on true
    returning requests, input_tokens + output_tokens as tokens, cost_nanos, held_tokens, held_nanos, limit_ids, budget_ids
  ), by_limit as (
    select i.id, sum(e.requests) as requests, sum(e.tokens) as tokens, sum(e.held_tokens) as held_tokens, count(*) as calls
      from ended e, unnest(e.limit_ids) as i (id) group by i.id
  ), limits as (
    update drover.rate_limit l
       set held = l.held - case l.metric when 'tokens' then -b.held_tokens else b.calls end,
           slots = case when l.window_seconds is null then l.slots else
             drover.add_to_slots(l.slots, l.newest_slot, drover.slot_at(l.window_seconds, clock),
               (case l.metric when 'tokens' then b.tokens else b.requests end)::bigint) end,
           newest_slot = case when l.window_seconds is null then 0 else
             greatest(l.newest_slot, drover.slot_at(l.window_seconds, clock)) end
      from by_limit b
     where l.id = b.id
  ), by_budget as (
    select i.id, sum(e.cost_nanos)::bigint as cost, sum(e.held_nanos)::bigint as held
      from ended e, unnest(e.budget_ids) as i (id) group by i.id
  )
  update drover.budget b
     set held_nanos = b.held_nanos + e.held,
         spent_nanos = e.cost
           + case when b.period_started_at is distinct from drover.period_start(b.period, clock) then 0 else b.spent_nanos end,
         alerted_percent = case when b.period_started_at is distinct from drover.period_start(b.period, clock) then 0 else b.alerted_percent end,
         period_started_at = drover.period_start(b.period, clock)
    from by_budget e
   where b.id = e.id;
  if touched_budgets is not null then
    perform drover.alert_budgets(touched_budgets);
  end if;
  if exists (select from unnest(p_pauses_ms) as p (ms) where p.ms > 0) then
    insert into drover.provider_pause as p (provider, model, until_at)
    select e.provider, e.model, clock + max(least(u.ms, 3600000)) * interval '1 millisecond'
      from unnest(p_call_ids, p_pauses_ms) as u (call_id, ms)
      join drover.ledger e on e.id = u.call_id
     where u.ms > 0
     group by e.provider, e.model
     order by e.provider, e.model
    on conflict on constraint provider_pause_pkey do update set until_at = greatest(p.until_at, excluded.until_at);
  end if;
  perform drover.admit(touched_limits, touched_budgets);
end $$;

-- Settles the calls of completed tasks by their results. Headers that say that nothing is left pause the model.
create or replace function drover.settle_answers(p_call_ids bigint[], p_task_ids bigint[], p_all_task_ids bigint[], p_all_results json[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  usages json[];
  pauses bigint[];
begin
  select array_agg(coalesce(drover.usage_of(r.result), '{}'::json) order by u.n),
         array_agg(case when drover.token_count(r.result -> 'rateLimit' -> 'remainingRequests') = 0
                          or drover.token_count(r.result -> 'rateLimit' -> 'remainingTokens') = 0
                        then drover.token_count(r.result -> 'rateLimit' -> 'resetMs') end order by u.n)
    into usages, pauses
    from unnest(p_task_ids) with ordinality as u (task_id, n)
    left join unnest(p_all_task_ids, p_all_results) as r (task_id, result) on r.task_id = u.task_id;
  perform drover.settle_calls(p_call_ids, usages, null, pauses);
end $$;

-- What a report says about tokens, if it says anything.
create or replace function drover.usage_of(p_report json) returns json
language sql immutable parallel safe
return case when json_typeof(p_report -> 'usage') = 'object' then p_report -> 'usage' end;

-- How long others of a model wait after it was refused with 429: what the provider said, or longer with every round.
create or replace function drover.pause_ms(p_retry_after_ms bigint, p_rounds bigint) returns bigint
language sql immutable parallel safe
return least(3600000, coalesce(nullif(greatest(p_retry_after_ms, 0), 0), 1000 * power(2, least(p_rounds, 6))::bigint));

-- Charges the time of GPUs that leases held, by the whole lease.
create or replace function drover.charge_gpus(p_task_ids bigint[], p_gpu_counts integer[], p_started_ats timestamptz[]) returns void
language sql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = on
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
  insert into drover.ledger (id, at, kind, namespace_id, task_id, run_id, root_run_id, workflow, step, gpu_ms)
  select drover.next_id(), clock_timestamp(), 'gpu', t.namespace_id, t.id, t.run_id, r.root_run_id, f.name,
         -- Of a body only its place is told: the id lies deep in the definition.
         coalesce(case when r.body is null then v.definition -> 'steps' -> t.step_number ->> 'id' end,
           r.body || '/#' || t.step_number, '#' || t.step_number), greatest(0, u.gpu_count * floor(extract(epoch from clock_timestamp() - u.started_at) * 1000))::bigint
    from unnest(p_task_ids, p_gpu_counts, p_started_ats) as u (task_id, gpu_count, started_at)
    join drover.task t on t.id = u.task_id
    left join drover.workflow_run r on r.id = t.run_id
    left join drover.workflow_version v on v.id = r.version_id
    left join drover.workflow f on f.id = r.workflow_id
   where u.gpu_count > 0;
$$;

-- What leases that ended otherwise than by completing leave to be charged; the caller has deleted them all before.
create or replace function drover.charge_ended(p_leases drover.task_lease[], p_usages json[], p_is_request boolean[], p_pauses_ms bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  calls record;
  gpus record;
begin
  select array_agg(l.call_id order by l.call_id) as ids, array_agg(u.usage order by l.call_id) as usages,
         array_agg(u.is_request order by l.call_id) as requests, array_agg(u.pause order by l.call_id) as pauses
    into calls
    from (select u.n::integer as n, u.usage, u.is_request, u.pause from unnest(p_usages, p_is_request, p_pauses_ms) with ordinality as u (usage, is_request, pause, n)) u
   cross join lateral (select (p_leases[u.n]).call_id) l
   where l.call_id is not null;
  if calls.ids is not null then
    perform drover.settle_calls(calls.ids, calls.usages, calls.requests, calls.pauses);
  end if;
  perform drover.end_placements(array(select l.task_id from unnest(p_leases) l where l.gpu_count is not null));
  select array_agg(l.task_id) as ids, array_agg(l.gpu_count) as counts, array_agg(l.started_at) as starts
    into gpus
    from unnest(p_leases) l
   where l.gpu_count > 0;
  if gpus.ids is not null then
    perform drover.charge_gpus(gpus.ids, gpus.counts, gpus.starts);
  end if;
end $$;
