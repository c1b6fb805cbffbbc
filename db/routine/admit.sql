-- Calls in from the lines of limits and budgets those who fit now, the longest waiting first, and tells whoever is first
-- and does not fit yet when it will. The caller holds the rows' locks, or the sweep calls it for all lines.
create or replace function drover.admit(p_limit_ids integer[], p_budget_ids bigint[]) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  rule drover.rate_limit;
  purse drover.budget;
  waiter record;
  clock timestamptz := clock_timestamp();
  free bigint;
  used bigint;
  spent bigint;
  fits_at timestamptz;
  is_first boolean;
  called bigint[] := '{}';
begin
  if not exists (select from drover.task_waiting w where w.limit_id = any (p_limit_ids))
     and not exists (select from drover.task_waiting w where w.budget_id = any (p_budget_ids)) then
    return 0;
  end if;
  for rule in select * from drover.rate_limit l where l.id = any (p_limit_ids) order by l.id loop
    used := case when rule.window_seconds is null then 0
      else drover.slots_used(rule.slots, rule.newest_slot, rule.window_seconds, clock) end;
    free := rule.allowance - rule.held - used;
    is_first := true;
    for waiter in
      select w.task_id, w.needs, w.until_at from drover.task_waiting w
       where w.limit_id = rule.id order by w.sort_key, w.task_id limit 100 for update skip locked
    loop
      -- What can never fit any more is called too: its claim says so.
      if waiter.needs <= free or waiter.needs > rule.allowance then
        called := called || waiter.task_id;
        free := free - case when waiter.needs <= free then waiter.needs else 0 end;
      elsif is_first and rule.window_seconds is not null then
        is_first := false;
        fits_at := drover.slots_freed_at(rule.slots, rule.newest_slot, rule.window_seconds, waiter.needs - free, clock);
        if fits_at < waiter.until_at - interval '100 milliseconds' then
          update drover.task_waiting w set until_at = fits_at where w.task_id = waiter.task_id;
        end if;
      end if;
      exit when free <= 0 and not is_first;
    end loop;
  end loop;
  for purse in select * from drover.budget b where b.id = any (p_budget_ids) order by b.id loop
    spent := case when purse.period_started_at is distinct from drover.period_start(purse.period, clock) then 0 else purse.spent_nanos end;
    free := purse.limit_nanos - spent - purse.held_nanos;
    for waiter in
      select w.task_id, w.needs from drover.task_waiting w
       where w.budget_id = purse.id order by w.sort_key, w.task_id limit 100 for update skip locked
    loop
      if waiter.needs <= free then
        called := called || waiter.task_id;
        free := free - waiter.needs;
      elsif waiter.needs > purse.limit_nanos or purse.when_exceeded = 'fail' and spent + waiter.needs > purse.limit_nanos then
        called := called || waiter.task_id;
      end if;
    end loop;
  end loop;
  if called <> '{}' then
    with gone as (
      delete from drover.task_waiting w where w.task_id = any (called)
      returning w.queue_id, w.sort_key, w.task_id, w.attempt
    ), ready as (
      insert into drover.task_ready (queue_id, sort_key, task_id, attempt)
      select g.queue_id, g.sort_key, g.task_id, g.attempt from gone g
    )
    -- A hint, so that nobody has to poll for what has become free.
    select count(pg_notify('drover_wake', 'class:' || c.name)) into used
      from (select distinct q.class_id from gone g join drover.queue q on q.id = g.queue_id) waiting
      join drover.class c on c.id = waiting.class_id;
  end if;
  return cardinality(called);
end $$;
