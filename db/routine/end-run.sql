-- Ends runs: what was still open of a stopped one is cancelled, what was not reached counts as skipped,
-- and whoever waits for a nested one is told.
create or replace function drover.end_runs(p_ends json) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  update drover.step s
     set state = 'cancelled', finished_at = clock_timestamp(),
         error = json_build_object('class', 'cancelled', 'message', 'Its run ended before it did.')
   where s.run_id = any (array(select g.run_id from json_to_recordset(p_ends) as g (run_id bigint, is_stopped boolean) where g.is_stopped))
     and s.state in ('pending', 'waiting', 'running');

  with given as (
    select * from json_to_recordset(p_ends) as g (run_id bigint, state text, output json, error json, is_stopped boolean)
  ), gone as (
    delete from drover.run_open o using given g where o.run_id = g.run_id
    returning o.*, g.state, g.output, g.error, g.is_stopped
  ), counted as (
    select g.run_id, c.cancelled
      from given g
     cross join lateral (
       select count(*)::integer as cancelled from drover.step s
        where s.run_id = g.run_id and s.item = -1 and s.state = 'cancelled') c
     where g.is_stopped
  ), final as (
    insert into drover.run_final (run_id, state, started_at, finished_at, steps_total, completed, failed, tolerated, skipped, cancelled,
                                  fields, output, error)
    select o.run_id, o.state, o.started_at, clock_timestamp(), o.steps_total, o.completed, o.failed, o.tolerated,
           o.steps_total - o.completed - o.failed - coalesce(c.cancelled, o.cancelled), coalesce(c.cancelled, o.cancelled),
           o.fields, o.output, o.error
      from gone o left join counted c on c.run_id = o.run_id
    returning run_id
  )
  insert into drover.run_signal (run_id, kind, child_run_id)
  select w.parent_run_id, 'run', w.id
    from final f join drover.workflow_run w on w.id = f.run_id
   where w.parent_run_id is not null;
  delete from drover.run_tree t
   where t.root_run_id = any (array(select g.run_id from json_to_recordset(p_ends) as g (run_id bigint)));
end $$;

-- Takes up a run that has ended: rows of the steps to reset go, those of failed maps keep the items that completed, and
-- the next advance begins what is missing. False where the run is not final.
create or replace function drover.reopen_run(p_run_id bigint, p_reset integer[], p_deadline_ms double precision) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  final drover.run_final;
begin
  delete from drover.run_final f where f.run_id = p_run_id returning * into final;
  if not found then
    return false;
  end if;
  -- What did not complete of a map is held back until the run starts it anew.
  update drover.step s
     set state = 'pending', error = null, finished_at = null, task_id = null, child_run_id = null,
         data = json_build_object('value', s.data -> 'value')
    from drover.step h
   where h.run_id = p_run_id and h.number = any (p_reset) and h.item = -1 and h.data ->> 'ended' is not null
     and h.state in ('failed', 'cancelled')
     and s.run_id = h.run_id and s.number = h.number and s.item >= 0 and s.state <> 'completed';
  update drover.step h
     set state = 'running', error = null, finished_at = null,
         data = json_build_object('total', h.data -> 'total', 'running', 0, 'failed', 0, 'ended',
           (select count(*) from drover.step s where s.run_id = h.run_id and s.number = h.number and s.item >= 0 and s.state = 'completed'))
   where h.run_id = p_run_id and h.number = any (p_reset) and h.item = -1 and h.data ->> 'ended' is not null
     and h.state in ('failed', 'cancelled');
  delete from drover.step s
   where s.run_id = p_run_id and s.number = any (p_reset)
     and not exists (
       select from drover.step h
        where h.run_id = s.run_id and h.number = s.number and h.item = -1 and h.state = 'running');
  update drover.workflow_run w set deadline_at = to_timestamp(p_deadline_ms / 1000)
   where w.id = p_run_id and w.deadline_at is not null;
  insert into drover.run_open (run_id, started_at, wake_at, steps_total, completed, failed, tolerated, skipped, cancelled, held, fields)
  select p_run_id, coalesce(final.started_at, clock_timestamp()), to_timestamp(p_deadline_ms / 1000), final.steps_total,
         count(*) filter (where s.item = -1 and s.state = 'completed'), count(*) filter (where s.item = -1 and s.state = 'failed'),
         -- A failed step that stays is one that may fail.
         count(*) filter (where s.item = -1 and s.state = 'failed'),
         count(*) filter (where s.item = -1 and s.state = 'skipped'), count(*) filter (where s.item = -1 and s.state = 'cancelled'),
         count(*) filter (where s.state = 'pending'), final.fields
    from drover.step s
   where s.run_id = p_run_id;
  insert into drover.run_signal (run_id, kind) values (p_run_id, 'start');
  return true;
end $$;
