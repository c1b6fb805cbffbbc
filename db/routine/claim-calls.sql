-- Calls of models are claimed by their own function: each is measured against every limit and budget that it falls
-- under, and is either reserved in all of them, or takes none and stands in line for the one that holds it longest, or
-- fails where it could never fit.
--
-- Locks are taken after those of tasks and leases: limits in the order of ids, then budgets in that order. A
-- transaction that has taken some waits for no further ones: what it cannot have at once stays where it is.
-- Their rows are read once a round and weighed in memory, and written once at its end: a row that is written for each of
-- a hundred calls leaves a hundred versions, which every look at it walks: 1 ms a call, where this takes 0.2.

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
