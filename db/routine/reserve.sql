-- Weighs a call against its limits and budgets, given as they are now: `held` of a limit is all that counts against it.
-- What is granted is added to them. Verdicts: `granted`; `waits` with a reason and in which line; `never` with an
-- error class. `p_lines`: limits that somebody waits for.
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
