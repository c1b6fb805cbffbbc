-- What any API replica does every few seconds, one at a time: counts live holders, declares silent ones lost,
-- takes back their leases and those past their deadline, promotes what is due, sums up the events; and ends sessions of
-- nodes that stand in the way.
-- Returns null where another replica is at it.
drop function if exists drover.sweep();
create or replace function drover.sweep(p_server_started_at timestamptz default pg_postmaster_start_time()) returns json
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  control drover.control;
  horizon timestamptz;
  lost_ids integer[];
  taken integer := 0;
  promoted integer;
  live integer;
  -- Everyone has had the time to report since the last outage.
  is_settled boolean;
begin
  -- First, and whoever has the lock: it may be one of those.
  perform drover.end_obstructing_sessions(30);
  if not pg_try_advisory_xact_lock(1146244950, 2) then
    return null;
  end if;
  select count(*) into live from drover.holder_lease l where l.expires_at > now();
  -- After an outage (nobody swept, or the server came up anew) everyone gets time to report first.
  update drover.control c
     set live_holders = live,
         resumed_at = case
           when c.swept_at < now() - (c.lease_seconds + c.lease_margin_seconds) * interval '1 second' then now()
           else greatest(c.resumed_at, p_server_started_at) end,
         swept_at = now()
  returning * into control;

  horizon := now() - control.lease_margin_seconds * interval '1 second';
  is_settled := control.resumed_at + (control.lease_seconds + control.lease_margin_seconds) * interval '1 second' <= now();
  if is_settled then
    with silent as (
      select l.holder_id from drover.holder_lease l where l.expires_at < horizon order by 1 for update skip locked
    ), gone as (
      delete from drover.holder_lease l using silent where l.holder_id = silent.holder_id returning l.holder_id
    ), marked as (
      update drover.holder h set state = 'lost', lost_at = now() from gone where h.id = gone.holder_id returning h.id, h.namespace_id, h.kind, h.name
    ), told as (
      insert into drover.event (id, namespace_id, kind, actor, data)
      select drover.next_id(), m.namespace_id, m.kind || '.lost', 'sweep', json_build_object('name', m.name) from marked m
    )
    select array_agg(id) into lost_ids from marked;
  end if;
  -- Leases of holders without a lease of their own: of those just lost, and of any that left in between. What ran past
  -- its limit during an outage may have ended well, and be about to be reported.
  select drover.take_back_each(array_agg(l.task_id), array_agg(l.fence), array_agg(l.class), array_agg(l.message))
    into taken
    from (
      select t.task_id, t.fence, 'lease_expired' as class, 'The lease of its holder ended without renewal.' as message
        from drover.task_lease t
       where not exists (select from drover.holder_lease h where h.holder_id = t.holder_id)
         -- What is to run on while its node is cut off is nobody else's until its time is over.
         and not (t.deadline_at > horizon and exists (
           select from drover.task k where k.id = t.task_id and k.execution -> 'onDisconnect' ->> 'kind' = 'keep'))
      union all
      select t.task_id, t.fence, 'timeout', 'The attempt ran past its time limit and its holder did not report.'
        from drover.task_lease t
       where is_settled and t.deadline_at < horizon and exists (select from drover.holder_lease h where h.holder_id = t.holder_id)) l;
  promoted := drover.promote(10000);
  -- Whoever stands in line and was passed over: limits are raised, tasks ahead are cancelled, periods begin.
  perform drover.admit(
    array(select l.id from drover.rate_limit l where exists (select from drover.task_waiting w where w.limit_id = l.id)),
    array(select b.id from drover.budget b where exists (select from drover.task_waiting w where w.budget_id = b.id)));
  perform drover.sum_events();
  delete from drover.node_request q where q.expires_at < now() - interval '1 minute';
  return json_build_object('live', live, 'lost', coalesce(cardinality(lost_ids), 0), 'taken', coalesce(taken, 0), 'promoted', promoted);
end $$;

-- Adds the events since the last call to their totals. Events whose transaction may still be running wait.
create or replace function drover.sum_events() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  cursor_xid xid8;
  cursor_id bigint;
  horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
  newest record;
begin
  select c.counted_xid, c.counted_id into cursor_xid, cursor_id from drover.control c for update;
  with fresh as materialized (
    select e.xid, e.id, e.kind, greatest(1, cardinality(e.task_ids), cardinality(e.run_ids)) as facts
      from drover.event e
     where (e.xid, e.id) > (cursor_xid, cursor_id) and e.xid < horizon
  ), added as (
    insert into drover.event_total as t (kind, total)
    select f.kind, sum(f.facts) from fresh f group by f.kind
    on conflict (kind) do update set total = t.total + excluded.total
  )
  select f.xid, f.id into newest from fresh f order by f.xid desc, f.id desc limit 1;
  if newest.xid is not null then
    update drover.control c set counted_xid = newest.xid, counted_id = newest.id;
  end if;
end $$;
