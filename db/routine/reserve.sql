-- Calls of models are claimed by their own function: each is measured against every limit and budget that it falls
-- under, and is either reserved in all of them, or takes none and stands in line for the one that holds it longest, or
-- fails where it could never fit.
--
-- Locks are taken after those of tasks and leases: limits in the order of ids, then budgets in that order. A
-- transaction that has taken some waits for no further ones: what it cannot have at once stays where it is.
-- Their rows are read once a round and weighed in memory, and written once at its end: a row that is written for each of
-- a hundred calls leaves a hundred versions, which every look at it walks (0.9 ms a call, where it is 0.1 now).

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

-- Weighs a call against its limits and budgets, given as they are now: `held` of a limit is all that counts against it.
-- What is granted is added to them. Verdicts: `granted`; `waits` with a reason and in which line; `never` with an
-- error class. `p_lines`: limits that somebody waits for.
drop function if exists drover.reserve(drover.call_request, timestamptz);
create or replace function drover.reserve(
  p_call drover.call_request, p_now timestamptz, p_input_price bigint, p_output_price bigint, p_paused_until timestamptz, p_lines integer[],
  inout rules drover.rate_limit[], inout purses drover.budget[],
  out verdict text, out max_output_tokens bigint, out cost bigint,
  out reason text, out message text, out limit_id integer, out budget_id bigint, out needs bigint, out until_at timestamptz
)
language plpgsql
as $$
#variable_conflict use_column
declare
  rule drover.rate_limit;
  purse drover.budget;
  front record;
  tail timestamptz;
  -- Tokens of output: what it would get alone, what it must get at least, what is left.
  alone bigint := 1024;
  least_output bigint;
  remaining bigint;
  amount bigint;
  need bigint;
  used bigint;
  fits_at timestamptz;
begin
  max_output_tokens := p_call.max_output_tokens;
  least_output := max_output_tokens;
  if max_output_tokens is null then
    foreach rule in array rules loop
      if rule.metric = 'tokens' and rule.id = any (p_call.limit_ids) then
        alone := least(alone, rule.allowance - p_call.input_tokens);
        remaining := least(remaining, rule.allowance - rule.held - p_call.input_tokens);
      end if;
    end loop;
    alone := greatest(alone, 1);
    -- An answer cut down to a few words is paid for and of no use.
    least_output := (alone + 3) / 4;
    max_output_tokens := greatest(least_output, least(alone, remaining));
  end if;

  foreach rule in array rules loop
    continue when rule.id <> all (p_call.limit_ids);
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
    front := null;
    if rule.id = any (p_lines) then
      select w.sort_key, w.needs, w.task_id into front
        from drover.task_waiting w where w.limit_id = rule.id order by w.sort_key limit 1;
      -- Whoever has been first for two windows is not passed any more by smaller ones that come later.
      if rule.metric = 'tokens' and front.sort_key < p_call.sort_key
         and drover.id_base(p_now - 2 * rule.window_seconds * interval '1 second') > front.task_id then
        used := used + front.needs;
      end if;
    end if;
    if used + amount > rule.allowance then
      fits_at := case when rule.window_seconds is null then p_now + interval '10 minutes' else coalesce(
        drover.slots_freed_at(rule.slots, rule.newest_slot, rule.window_seconds, used + need - rule.allowance, p_now),
        p_now + rule.window_seconds * interval '1 second') end;
      -- Those behind come after the last in line, at the pace of the limit, so that each is looked at about once.
      -- What is given back early calls them sooner (drover.admit).
      if rule.window_seconds is not null then
        select w.sort_key into front from drover.task_waiting w where w.limit_id = rule.id order by w.sort_key limit 1;
        if front.sort_key < p_call.sort_key then
          select max(w.until_at) into tail from drover.task_waiting w where w.limit_id = rule.id;
          fits_at := greatest(fits_at, tail + rule.window_seconds * need::float8 / rule.allowance * interval '1 second');
        end if;
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

  cost := coalesce(drover.call_cost(p_call.input_tokens, max_output_tokens, p_input_price, p_output_price), 0);
  foreach purse in array purses loop
    continue when purse.id <> all (p_call.budget_ids);
    if cost > purse.limit_nanos or purse.spent_nanos + cost > purse.limit_nanos and purse.when_exceeded = 'fail' then
      verdict := 'never';
      reason := 'budget_exceeded';
      message := format('The call may cost %s (%s of input and %s of output of %s) and %s has %s left; raise the budget, or ask for less.',
        drover.money_text(cost), drover.count_text(p_call.input_tokens, 'token'), max_output_tokens, p_call.model, drover.budget_text(purse),
        drover.money_text(greatest(purse.limit_nanos - purse.spent_nanos, 0)));
      return;
    end if;
    if purse.spent_nanos + purse.held_nanos + cost > purse.limit_nanos then
      fits_at := case when purse.spent_nanos + cost > purse.limit_nanos then drover.period_end(purse.period, p_now)
        else p_now + interval '10 minutes' end;
      if until_at is null or fits_at > until_at then
        verdict := 'waits';
        reason := 'blocked';
        message := format('%s: %s spent, %s held by other calls', drover.budget_text(purse), drover.money_text(purse.spent_nanos),
          drover.money_text(purse.held_nanos));
        limit_id := null;
        budget_id := purse.id;
        needs := cost;
        until_at := fits_at;
      end if;
    end if;
  end loop;

  if p_paused_until > p_now and (until_at is null or p_paused_until > until_at) then
    verdict := 'waits';
    reason := 'rate_limited';
    message := format('provider %s, which takes no calls of %s for now', p_call.provider, p_call.model);
    limit_id := null;
    budget_id := null;
    needs := null;
    until_at := p_paused_until;
  end if;
  if verdict is not null then
    return;
  end if;

  verdict := 'granted';
  for n in 1 .. cardinality(rules) loop
    if rules[n].id = any (p_call.limit_ids) then
      rules[n].held := rules[n].held
        + case rules[n].metric when 'tokens' then p_call.input_tokens + max_output_tokens else 1 end;
    end if;
  end loop;
  for n in 1 .. cardinality(purses) loop
    if purses[n].id = any (p_call.budget_ids) then
      purses[n].held_nanos := purses[n].held_nanos + cost;
    end if;
  end loop;
end $$;

-- Writes down what was granted in a round: an entry for each, and once what it adds to limits and budgets.
create or replace function drover.hold_calls(
  p_requests drover.call_request[], p_call_ids bigint[], p_outputs bigint[], p_costs bigint[], p_limit_ids integer[], p_budget_ids bigint[],
  p_now timestamptz
) returns void
language plpgsql
as $$
begin
  insert into drover.ledger (id, at, kind, namespace_id, call_id, task_id, run_id, root_run_id, workflow, step, provider, model,
    held_tokens, held_nanos, limit_ids, budget_ids)
  select u.call_id, p_now, 'reserve', r.namespace_id, u.call_id, r.task_id, r.run_id, r.root_run_id, r.workflow, r.step, r.provider, r.model,
         r.input_tokens + u.output, u.cost, r.limit_ids, r.budget_ids
    from unnest(p_call_ids, p_outputs, p_costs) with ordinality as u (call_id, output, cost, n)
   cross join lateral (select (p_requests[u.n::integer]).*) r;
  if p_limit_ids <> '{}' then
    update drover.rate_limit l
       set held = l.held + case l.metric when 'tokens' then b.tokens else b.calls end
      from (
        select i.id, sum(r.input_tokens + u.output)::bigint as tokens, count(*) as calls
          from unnest(p_outputs) with ordinality as u (output, n)
         cross join lateral (select (p_requests[u.n::integer]).*) r
         cross join lateral unnest(r.limit_ids) as i (id)
         group by i.id) b
     where l.id = b.id;
  end if;
  if p_budget_ids <> '{}' then
    update drover.budget b
       set held_nanos = b.held_nanos + h.cost,
           spent_nanos = case when p.is_new then 0 else b.spent_nanos end,
           alerted_percent = case when p.is_new then 0 else b.alerted_percent end,
           period_started_at = p.started_at
      from (
        select i.id, sum(u.cost)::bigint as cost
          from unnest(p_costs) with ordinality as u (cost, n)
         cross join lateral unnest((p_requests[u.n::integer]).budget_ids) as i (id)
         group by i.id) h
      join drover.budget o on o.id = h.id
     cross join lateral (
        select drover.period_start(o.period, p_now) as started_at,
               o.period_started_at is distinct from drover.period_start(o.period, p_now) as is_new) p
     where b.id = h.id;
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
  clock timestamptz;
  ids bigint[];
  keys bigint[];
  attempts integer[];
  requests drover.call_request[];
  request drover.call_request;
  answer record;
  price record;
  priced_model text;
  paused_until timestamptz;
  rules drover.rate_limit[];
  purses drover.budget[];
  lines integer[];
  limit_ids integer[];
  budget_ids bigint[];
  call_id bigint;
  -- Of this round, and of all.
  granted drover.call_request[];
  granted_calls bigint[];
  granted_outputs bigint[];
  granted_costs bigint[];
  gone_ids bigint[];
  gone_keys bigint[];
  all_ids bigint[] := '{}';
  all_calls bigint[] := '{}';
  all_outputs bigint[] := '{}';
  all_attempts integer[] := '{}';
begin
  -- Rounds, since what is refused makes room for who comes next; some at most, so that no sync takes long.
  for round in 1 .. 8 loop
    select array_agg(p.task_id), array_agg(p.sort_key), array_agg(p.attempt) into ids, keys, attempts
      from (
        select r.task_id, r.sort_key, r.attempt from drover.task_ready r
         where r.queue_id = p_queue_id
         order by r.sort_key, r.task_id
         limit least(200, p_limit - cardinality(all_ids))
           for update skip locked) p;
    exit when ids is null;
    requests := drover.read_requests(p_queue_id, ids, keys, attempts);
    limit_ids := array(select distinct unnest(r.limit_ids) from unnest(requests) r);
    budget_ids := array(select distinct unnest(r.budget_ids) from unnest(requests) r);
    if may_wait then
      perform from drover.rate_limit l where l.id = any (limit_ids) order by l.id for update;
      perform from drover.budget b where b.id = any (budget_ids) order by b.id for update;
      may_wait := limit_ids = '{}' and budget_ids = '{}';
    else
      limit_ids := array(select l.id from drover.rate_limit l where l.id = any (limit_ids) order by l.id for update skip locked);
      budget_ids := array(select b.id from drover.budget b where b.id = any (budget_ids) order by b.id for update skip locked);
    end if;
    clock := clock_timestamp();
    rules := array(select l from drover.rate_limit l where l.id = any (limit_ids) order by l.id);
    for n in 1 .. cardinality(rules) loop
      if rules[n].window_seconds is not null then
        rules[n].held := rules[n].held + drover.slots_used(rules[n].slots, rules[n].newest_slot, rules[n].window_seconds, clock);
      end if;
    end loop;
    purses := array(select b from drover.budget b where b.id = any (budget_ids) order by b.id);
    for n in 1 .. cardinality(purses) loop
      if purses[n].period_started_at is distinct from drover.period_start(purses[n].period, clock) then
        purses[n].spent_nanos := 0;
      end if;
    end loop;
    lines := array(select l from unnest(limit_ids) l where exists (select from drover.task_waiting w where w.limit_id = l));
    granted := '{}';
    granted_calls := '{}';
    granted_outputs := '{}';
    granted_costs := '{}';
    gone_ids := '{}';
    gone_keys := '{}';

    foreach request in array requests loop
      continue when not (request.limit_ids <@ limit_ids and request.budget_ids <@ budget_ids);
      gone_ids := gone_ids || request.task_id;
      gone_keys := gone_keys || request.sort_key;
      if request.model is null then
        perform drover.refuse_call(p_holder_id, p_queue_id, request, 'invalid_execution',
          'Expected the name of a model in the call, got none.');
        continue;
      end if;
      if request.model is distinct from priced_model then
        priced_model := request.model;
        select * into price from drover.price_of(request.provider, request.model, clock);
        select p.until_at into paused_until from drover.provider_pause p
         where p.provider = request.provider and p.model = request.model;
      end if;
      select * into answer from drover.reserve(request, clock, price.input_nanos_per_million, price.output_nanos_per_million,
        paused_until, lines, rules, purses);
      if answer.verdict = 'granted' then
        rules := answer.rules;
        purses := answer.purses;
        granted := granted || request;
        granted_calls := granted_calls || (drover.id_base(clock) | nextval('drover.id_sequence'));
        granted_outputs := granted_outputs || answer.max_output_tokens;
        granted_costs := granted_costs || answer.cost;
        all_attempts := all_attempts || request.attempt + 1;
        all_ids := all_ids || request.task_id;
      elsif answer.verdict = 'waits' then
        insert into drover.task_waiting (task_id, queue_id, sort_key, attempt, reason, until_at, blocker, limit_id, budget_id, needs)
        values (request.task_id, p_queue_id, request.sort_key, request.attempt, answer.reason, answer.until_at, answer.message,
          answer.limit_id, answer.budget_id, answer.needs);
        insert into drover.event (id, namespace_id, kind, actor, task_ids, data)
        values (drover.next_id(), request.namespace_id, 'task.limited', 'holder:' || p_holder_id, array[request.task_id],
          json_build_object('reason', answer.reason, 'blocker', answer.message, 'until', answer.until_at));
      else
        perform drover.refuse_call(p_holder_id, p_queue_id, request, answer.reason, answer.message);
      end if;
    end loop;
    delete from drover.task_ready r using unnest(gone_ids, gone_keys) as g (task_id, sort_key)
     where r.queue_id = p_queue_id and r.sort_key = g.sort_key and r.task_id = g.task_id;
    if granted <> '{}' then
      perform drover.hold_calls(granted, granted_calls, granted_outputs, granted_costs, limit_ids, budget_ids, clock);
      -- There may be room left for those who wait.
      perform drover.admit(limit_ids, budget_ids);
      all_calls := all_calls || granted_calls;
      all_outputs := all_outputs || granted_outputs;
    end if;
    exit when cardinality(gone_ids) < cardinality(ids) or cardinality(all_ids) >= p_limit;
  end loop;
  if all_ids = '{}' then
    return;
  end if;
  insert into drover.event (id, namespace_id, kind, actor, task_ids)
  values (drover.next_id(), p_namespace_id, 'task.started', 'holder:' || p_holder_id, all_ids);
  return query
  with spec as (
    select u.task_id, nextval('drover.fence_sequence') as fence, u.attempt, u.call_id, u.output, u.n,
           t.timeout_seconds, t.name, t.payload, t.execution, t.run_id
      from unnest(all_ids, all_attempts, all_calls, all_outputs) with ordinality as u (task_id, attempt, call_id, output, n)
      join drover.task t on t.id = u.task_id
  ), leased as (
    insert into drover.task_lease (task_id, fence, holder_id, queue_id, limited_class_id, attempt, deadline_at, run_id, call_id)
    select s.task_id, s.fence, p_holder_id, p_queue_id, p_limited_class_id, s.attempt,
           now() + (s.timeout_seconds + 60) * interval '1 second', s.run_id, s.call_id
      from spec s
  )
  select s.task_id, s.fence, s.attempt, s.timeout_seconds, s.name, s.payload, s.execution, s.output from spec s order by s.n;
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

-- Ends a task whose call can never be made, as an attempt that failed at once.
create or replace function drover.refuse_call(p_holder_id integer, p_queue_id integer, p_call drover.call_request, p_class text, p_message text) returns void
language plpgsql
as $$
declare
  lease drover.task_lease;
begin
  lease.task_id := p_call.task_id;
  lease.fence := nextval('drover.fence_sequence');
  lease.holder_id := p_holder_id;
  lease.queue_id := p_queue_id;
  lease.attempt := p_call.attempt + 1;
  lease.started_at := now();
  select t.run_id into lease.run_id from drover.task t where t.id = p_call.task_id;
  perform drover.settle_attempt(lease, p_class, p_message, null, null, null);
end $$;
