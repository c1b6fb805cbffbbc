-- Calls of models are claimed by their own function: each is measured against every limit and budget that it falls
-- under, and is either reserved in all of them, or takes none and stands in line for the one that holds it longest, or
-- fails where it could never fit.
--
-- Locks are taken after those of tasks and leases: limits in the order of ids, then budgets in that order. A
-- transaction that has taken some waits for no further ones: what it cannot have at once stays where it is.

-- What a call asks for; null where the execution does not say it in a way that can be read.
create or replace function drover.read_call(p_execution json, out model text, out workflow text, out step text,
  out root_run_id bigint, out run_id bigint, out input_tokens bigint, out max_output_tokens bigint)
language sql immutable parallel safe
return (
  nullif(p_execution ->> 'model', ''), p_execution -> 'charge' ->> 'workflow', p_execution -> 'charge' ->> 'step',
  drover.read_key(p_execution -> 'charge' ->> 'rootRunId'), drover.read_key(p_execution -> 'charge' ->> 'runId'),
  -- Who does not estimate is taken by the size: no token is shorter than a character.
  coalesce(drover.token_count(p_execution -> 'inputTokens'), length(p_execution::text)),
  drover.token_count(p_execution -> 'maxOutputTokens'));

-- Reserves a call in all its limits and budgets, whose rows the caller has locked, or says why not.
-- Verdicts: `granted`; `waits` with a reason and in which line; `never` with an error class.
create or replace function drover.reserve(
  p_call drover.call_request, p_now timestamptz,
  out verdict text, out call_id bigint, out max_output_tokens bigint,
  out reason text, out message text, out limit_id integer, out budget_id bigint, out needs bigint, out until_at timestamptz
)
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  rule drover.rate_limit;
  purse drover.budget;
  price record;
  front record;
  tail timestamptz;
  -- Tokens of output: what it would get alone, what it must get at least, what is left.
  alone bigint := 1024;
  least_output bigint;
  remaining bigint;
  amount bigint;
  need bigint;
  used bigint;
  spent bigint;
  cost bigint;
  fits_at timestamptz;
begin
  max_output_tokens := p_call.max_output_tokens;
  least_output := max_output_tokens;
  if max_output_tokens is null then
    for rule in select * from drover.rate_limit l where l.id = any (p_call.limit_ids) and l.metric = 'tokens' loop
      alone := least(alone, rule.allowance - p_call.input_tokens);
      remaining := least(remaining, rule.allowance - rule.held - p_call.input_tokens
        - drover.slots_used(rule.slots, rule.newest_slot, rule.window_seconds, p_now));
    end loop;
    alone := greatest(alone, 1);
    -- An answer cut down to a few words is paid for and of no use.
    least_output := (alone + 3) / 4;
    max_output_tokens := greatest(least_output, least(alone, remaining));
  end if;

  for rule in select * from drover.rate_limit l where l.id = any (p_call.limit_ids) order by l.id loop
    amount := case rule.metric when 'tokens' then p_call.input_tokens + max_output_tokens else 1 end;
    need := case rule.metric when 'tokens' then p_call.input_tokens + least_output else 1 end;
    if need > rule.allowance then
      verdict := 'never';
      reason := 'limit_exceeded';
      message := format('The call needs %s and %s never allows that; raise the limit, or ask for less.',
        case rule.metric when 'tokens' then format('%s (%s of input, %s of output)', drover.count_text(need, 'token'),
          p_call.input_tokens, least_output) else 'a request' end, drover.limit_text(rule));
      return;
    end if;
    used := rule.held;
    if rule.window_seconds is not null then
      used := used + drover.slots_used(rule.slots, rule.newest_slot, rule.window_seconds, p_now);
    end if;
    select w.sort_key, w.needs, w.task_id into front
      from drover.task_waiting w where w.limit_id = rule.id order by w.sort_key limit 1;
    -- Whoever has been first for two windows is not passed any more by smaller ones that come later.
    if rule.metric = 'tokens' and front.sort_key < p_call.sort_key
       and drover.id_base(p_now - 2 * rule.window_seconds * interval '1 second') > front.task_id then
      used := used + front.needs;
    end if;
    if used + amount > rule.allowance then
      fits_at := case when rule.window_seconds is null then p_now + interval '10 minutes' else coalesce(
        drover.slots_freed_at(rule.slots, rule.newest_slot, rule.window_seconds, used + need - rule.allowance, p_now),
        p_now + rule.window_seconds * interval '1 second') end;
      -- Those behind come after the last in line, at the pace of the limit, so that each is looked at about once.
      -- What is given back early calls them sooner (drover.admit).
      if rule.window_seconds is not null and front.sort_key < p_call.sort_key then
        select max(w.until_at) into tail from drover.task_waiting w where w.limit_id = rule.id;
        fits_at := greatest(fits_at, tail + rule.window_seconds * need::float8 / rule.allowance * interval '1 second');
      end if;
      if until_at is null or fits_at > until_at then
        verdict := 'waits';
        reason := 'rate_limited';
        message := drover.limit_text(rule);
        limit_id := rule.id;
        needs := need;
        until_at := fits_at;
      end if;
    end if;
  end loop;

  select * into price from drover.price_of(p_call.provider, p_call.model, p_now);
  cost := coalesce(drover.call_cost(p_call.input_tokens, max_output_tokens, price.input_nanos_per_million, price.output_nanos_per_million), 0);
  for purse in select * from drover.budget b where b.id = any (p_call.budget_ids) order by b.id loop
    spent := case when purse.period_started_at is distinct from drover.period_start(purse.period, p_now) then 0 else purse.spent_nanos end;
    if cost > purse.limit_nanos or spent + cost > purse.limit_nanos and purse.when_exceeded = 'fail' then
      verdict := 'never';
      reason := 'budget_exceeded';
      message := format('The call may cost %s (%s of input and %s of output of %s) and %s has %s left; raise the budget, or ask for less.',
        drover.money_text(cost), drover.count_text(p_call.input_tokens, 'token'), max_output_tokens, p_call.model, drover.budget_text(purse),
        drover.money_text(greatest(purse.limit_nanos - spent, 0)));
      return;
    end if;
    if spent + purse.held_nanos + cost > purse.limit_nanos then
      fits_at := case when spent + cost > purse.limit_nanos then drover.period_end(purse.period, p_now) else p_now + interval '10 minutes' end;
      if until_at is null or fits_at > until_at then
        verdict := 'waits';
        reason := 'blocked';
        message := format('%s: %s spent, %s held by other calls', drover.budget_text(purse), drover.money_text(spent), drover.money_text(purse.held_nanos));
        limit_id := null;
        budget_id := purse.id;
        needs := cost;
        until_at := fits_at;
      end if;
    end if;
  end loop;

  select p.until_at into fits_at from drover.provider_pause p
   where p.provider = p_call.provider and p.model = p_call.model and p.until_at > p_now;
  if found and (until_at is null or fits_at > until_at) then
    verdict := 'waits';
    reason := 'rate_limited';
    message := format('provider %s, which takes no calls of %s for now', p_call.provider, p_call.model);
    limit_id := null;
    budget_id := null;
    needs := null;
    until_at := fits_at;
  end if;
  if verdict is not null then
    return;
  end if;

  verdict := 'granted';
  call_id := drover.next_id();
  insert into drover.ledger (id, at, kind, namespace_id, call_id, task_id, run_id, root_run_id, workflow, step, provider, model,
    held_tokens, held_nanos, limit_ids, budget_ids)
  values (call_id, p_now, 'reserve', p_call.namespace_id, call_id, p_call.task_id, p_call.run_id, p_call.root_run_id, p_call.workflow,
    p_call.step, p_call.provider, p_call.model, p_call.input_tokens + max_output_tokens, cost, p_call.limit_ids, p_call.budget_ids);
  if p_call.limit_ids <> '{}' then
    update drover.rate_limit l
       set held = l.held + case l.metric when 'tokens' then p_call.input_tokens + max_output_tokens else 1 end
     where l.id = any (p_call.limit_ids);
  end if;
  if p_call.budget_ids <> '{}' then
    update drover.budget b
       set held_nanos = b.held_nanos + cost,
           spent_nanos = case when b.period_started_at is distinct from drover.period_start(b.period, p_now) then 0 else b.spent_nanos end,
           alerted_percent = case when b.period_started_at is distinct from drover.period_start(b.period, p_now) then 0 else b.alerted_percent end,
           period_started_at = drover.period_start(b.period, p_now)
     where b.id = any (p_call.budget_ids);
  end if;
end $$;

-- The claim of a queue of calls, up to a number that are granted. What is refused leaves the queue; what falls under
-- a limit that somebody else has locked stays in it, where the caller may not wait because it has locked some already.
create or replace function drover.claim_calls(
  p_holder_id integer, p_namespace_id integer, p_queue_id integer, p_limited_class_id integer, p_limit integer, p_may_wait boolean
) returns table (task_id bigint, fence bigint, attempt integer, timeout_seconds integer, name text, payload json, execution json,
  max_output_tokens bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  may_wait boolean := p_may_wait;
  ids bigint[];
  keys bigint[];
  attempts integer[];
  requests drover.call_request[];
  request drover.call_request;
  answer record;
  lease drover.task_lease;
  free_limits integer[];
  free_budgets bigint[];
  touched_limits integer[] := '{}';
  touched_budgets bigint[] := '{}';
  granted_ids bigint[] := '{}';
  granted_calls bigint[] := '{}';
  granted_outputs bigint[] := '{}';
  granted_attempts integer[] := '{}';
  is_stuck boolean := false;
begin
  -- Rounds, since what is refused makes room for who comes next; some at most, so that no sync takes long.
  for round in 1 .. 8 loop
    select array_agg(p.task_id), array_agg(p.sort_key), array_agg(p.attempt) into ids, keys, attempts
      from (
        select r.task_id, r.sort_key, r.attempt from drover.task_ready r
         where r.queue_id = p_queue_id
         order by r.sort_key, r.task_id
         limit least(200, p_limit - cardinality(granted_ids))
           for update skip locked) p;
    exit when ids is null;
    requests := array(
      select row(u.task_id, u.sort_key, u.attempt, t.namespace_id, coalesce(t.run_id, c.run_id), s.root_run_id, t.step_number, c.workflow,
               c.step, q.task_type, c.model, c.input_tokens, c.max_output_tokens,
               coalesce(drover.limits_of(t.namespace_id, q.task_type, c.model, c.workflow), '{}'),
               coalesce(drover.budgets_of(t.namespace_id, q.task_type, c.model, c.workflow, s.root_run_id,
                 coalesce(t.run_id, c.run_id), t.step_number), '{}'))::drover.call_request
        from unnest(ids, keys, attempts) with ordinality as u (task_id, sort_key, attempt, n)
        join drover.task t on t.id = u.task_id
        join drover.queue q on q.id = p_queue_id
       cross join lateral drover.read_call(t.execution) c
       cross join lateral (
         select coalesce(c.root_run_id, (select r.root_run_id from drover.workflow_run r where r.id = t.run_id)) as root_run_id) s
       order by u.n);
    free_limits := array(select distinct unnest(r.limit_ids) from unnest(requests) r);
    free_budgets := array(select distinct unnest(r.budget_ids) from unnest(requests) r);
    if may_wait then
      perform from drover.rate_limit l where l.id = any (free_limits) order by l.id for update;
      perform from drover.budget b where b.id = any (free_budgets) order by b.id for update;
      may_wait := free_limits = '{}' and free_budgets = '{}';
    else
      free_limits := array(select l.id from drover.rate_limit l where l.id = any (free_limits) order by l.id for update skip locked);
      free_budgets := array(select b.id from drover.budget b where b.id = any (free_budgets) order by b.id for update skip locked);
    end if;

    foreach request in array requests loop
      if not (request.limit_ids <@ free_limits and request.budget_ids <@ free_budgets) then
        is_stuck := true;
        continue;
      end if;
      delete from drover.task_ready r
       where r.queue_id = p_queue_id and r.sort_key = request.sort_key and r.task_id = request.task_id;
      if request.model is null then
        select 'never' as verdict, 'invalid_execution' as reason, 'Expected the name of a model in the call, got none.' as message into answer;
      else
        select * into answer from drover.reserve(request, clock_timestamp());
      end if;
      if answer.verdict = 'granted' then
        granted_ids := granted_ids || request.task_id;
        granted_calls := granted_calls || answer.call_id;
        granted_outputs := granted_outputs || answer.max_output_tokens;
        granted_attempts := granted_attempts || request.attempt + 1;
        touched_limits := touched_limits || request.limit_ids;
        touched_budgets := touched_budgets || request.budget_ids;
      elsif answer.verdict = 'waits' then
        insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at, blocker, limit_id, budget_id, needs)
        values (request.task_id, p_queue_id, request.sort_key, request.attempt, answer.reason, answer.until_at, answer.message,
          answer.limit_id, answer.budget_id, answer.needs);
        insert into drover.event (id, namespace_id, kind, actor, task_ids, data)
        values (drover.next_id(), request.namespace_id, 'task.limited', 'holder:' || p_holder_id, array[request.task_id],
          json_build_object('reason', answer.reason, 'blocker', answer.message, 'until', answer.until_at));
      else
        lease := null;
        lease.task_id := request.task_id;
        lease.fence := nextval('drover.fence_sequence');
        lease.holder_id := p_holder_id;
        lease.queue_id := p_queue_id;
        lease.attempt := request.attempt + 1;
        lease.started_at := now();
        select t.run_id into lease.run_id from drover.task t where t.id = request.task_id;
        perform drover.settle_attempt(lease, answer.reason, answer.message, null, null, null);
      end if;
    end loop;
    exit when is_stuck or cardinality(granted_ids) >= p_limit;
  end loop;
  if granted_ids = '{}' then
    return;
  end if;
  -- There may be room left for those who wait.
  if touched_limits <> '{}' or touched_budgets <> '{}' then
    perform drover.admit(touched_limits, touched_budgets);
  end if;
  insert into drover.event (id, namespace_id, kind, actor, task_ids)
  values (drover.next_id(), p_namespace_id, 'task.started', 'holder:' || p_holder_id, granted_ids);
  return query
  with spec as (
    select u.task_id, nextval('drover.fence_sequence') as fence, u.attempt, u.call_id, u.output, u.n,
           t.timeout_seconds, t.name, t.payload, t.execution, t.run_id
      from unnest(granted_ids, granted_attempts, granted_calls, granted_outputs) with ordinality as u (task_id, attempt, call_id, output, n)
      join drover.task t on t.id = u.task_id
  ), leased as (
    insert into drover.task_lease (task_id, fence, holder_id, queue_id, limited_class_id, attempt, deadline_at, run_id, call_id)
    select s.task_id, s.fence, p_holder_id, p_queue_id, p_limited_class_id, s.attempt,
           now() + (s.timeout_seconds + 60) * interval '1 second', s.run_id, s.call_id
      from spec s
  )
  select s.task_id, s.fence, s.attempt, s.timeout_seconds, s.name, s.payload, s.execution, s.output from spec s order by s.n;
end $$;
