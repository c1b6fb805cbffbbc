-- Rebuilds every counter of limits and budgets from the ledger and returns those that differ, and calls that are open
-- in the ledger and have no lease, or the other way round. One snapshot: it may run while calls come and go.
create or replace function drover.verify_ledger()
returns table (kind text, name text, counter text, expected numeric, actual numeric)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with held_by_limit as (
    select i.id, sum(e.held_tokens) as tokens, count(*) filter (where e.kind = 'reserve') - count(*) filter (where e.kind <> 'reserve') as calls
      from drover.ledger e, unnest(e.limit_ids) as i (id)
     where e.kind <> 'gpu'
     group by i.id
  ), held_by_budget as (
    select i.id, sum(e.held_nanos) as held,
           sum(e.cost_nanos) filter (where b.period_started_at is null or e.at >= b.period_started_at) as spent
      from drover.ledger e
     cross join unnest(e.budget_ids) as i (id)
      join drover.budget b on b.id = i.id
     group by i.id
  ), open_calls as (
    select e.call_id from drover.ledger e where e.kind <> 'gpu' group by e.call_id having count(*) < 2
  ), slots as (
    select l.id, l.name, l.newest_slot - age.n as slot, l.slots[1 + (l.newest_slot - age.n) % 61] as used, l.metric, l.window_seconds
      from drover.rate_limit l, generate_series(0, 60) as age (n)
     where l.window_seconds is not null and l.newest_slot > 60
  ), used as (
    select l.id, drover.slot_at(l.window_seconds, e.at) as slot,
           sum(case l.metric when 'tokens' then e.input_tokens + e.output_tokens else e.requests end) as used
      from drover.rate_limit l
      join drover.ledger e on e.limit_ids @> array[l.id]
     where l.window_seconds is not null and e.kind in ('settle', 'release') and l.newest_slot > 60
       and e.id >= drover.id_base(to_timestamp((l.newest_slot - 61) * l.window_seconds / 60.0) - interval '1 minute')
     group by 1, 2
  )
  select 'limit', l.name, 'held', coalesce(case l.metric when 'tokens' then h.tokens else h.calls end, 0), l.held::numeric
    from drover.rate_limit l left join held_by_limit h on h.id = l.id
   where l.held <> coalesce(case l.metric when 'tokens' then h.tokens else h.calls end, 0)
  union all
  select 'limit', s.name, 'slot ' || s.slot, coalesce(u.used, 0), s.used::numeric
    from slots s left join used u on u.id = s.id and u.slot = s.slot
   where s.used <> coalesce(u.used, 0)
  union all
  select 'budget', coalesce(b.name, format('%s %s%s', b.scope, b.run_id, '/' || b.step)), c.counter, c.expected, c.actual
    from drover.budget b
    left join held_by_budget h on h.id = b.id
   cross join lateral (values ('held', coalesce(h.held, 0), b.held_nanos::numeric), ('spent', coalesce(h.spent, 0), b.spent_nanos::numeric))
      as c (counter, expected, actual)
   where c.expected <> c.actual
  union all
  select 'call', coalesce(o.call_id, l.call_id)::text, 'open', count(o.call_id)::numeric, count(l.call_id)::numeric
    from open_calls o
    full join (select t.call_id from drover.task_lease t where t.call_id is not null) l on l.call_id = o.call_id
   where o.call_id is null or l.call_id is null
   group by 2;
$$;
