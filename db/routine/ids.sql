create or replace function drover.id_base(at timestamptz) returns bigint
language sql immutable parallel safe
return (floor(date_part('epoch', at) * 1000)::bigint - 1577836800000) << 22;

create or replace function drover.next_id() returns bigint
language sql volatile
return drover.id_base(clock_timestamp()) | nextval('drover.id_sequence');

-- Partitions come and go under a lock on their parent: whoever cannot have it soon gives up and tries again later,
-- instead of holding up everyone who queues behind.

-- Creates the weekly partitions from the current week on; returns the names of the new ones.
create or replace function drover.ensure_partitions(weeks_ahead integer default 4) returns setof text
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  parent text;
  monday timestamptz;
  part text;
begin
  perform pg_advisory_xact_lock(1146244950, 1);
  for monday in
    select date_trunc('week', now() at time zone 'utc') at time zone 'utc' + w * interval '7 days' from generate_series(0, weeks_ahead) w
  loop
    foreach parent in array array['task', 'task_final', 'task_attempt', 'task_log', 'event', 'workflow_run', 'run_final', 'step', 'ledger'] loop
      part := parent || '_' || to_char(monday at time zone 'utc', 'YYYYMMDD');
      if to_regclass('drover.' || part) is null then
        execute format('create table drover.%I partition of drover.%I for values from (%s) to (%s)',
          part, parent, drover.id_base(monday), drover.id_base(monday + interval '7 days'));
        if parent = 'event' then
          execute format('alter table drover.%I set (autovacuum_vacuum_insert_scale_factor = 1)', part);
        end if;
        return next part;
      end if;
    end loop;
  end loop;
end $$;

-- Drops the partitions that ended before the given time; returns their names. The ledger keeps its own: money is asked
-- about for years.
create or replace function drover.drop_partitions(ended_before timestamptz) returns setof text
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  part text;
  oldest_open bigint;
begin
  perform pg_advisory_xact_lock(1146244950, 1);
  -- A task that is not final keeps its week.
  select min(task_id) into oldest_open from (
    select min(task_id) as task_id from drover.task_lease
    union all select min(task_id) from drover.task_waiting
    union all select min(task_id) from drover.task_ready
    -- Nor does a run lose the steps and tasks that it may still look at: all of them are younger than it is.
    union all select min(run_id) from drover.run_open) open;
  for part in
    select c.relname from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
      join pg_class p on p.oid = i.inhparent
     where p.relnamespace = 'drover'::regnamespace and p.relkind = 'p' and c.relkind = 'r' and p.relname <> 'ledger'
       and to_date(substring(c.relname from '\d{8}$'), 'YYYYMMDD') + 7 <= (ended_before at time zone 'utc')::date
       and (oldest_open is null
            or drover.id_base((to_date(right(c.relname, 8), 'YYYYMMDD') + 7)::timestamp at time zone 'utc') <= oldest_open)
     order by 1
  loop
    execute format('drop table drover.%I', part);
    return next part;
  end loop;
  delete from drover.task_key k where k.task_id < drover.id_base(ended_before) and not exists (select from drover.task t where t.id = k.task_id);
  delete from drover.budget b
   where b.root_run_id < drover.id_base(ended_before) and not exists (select from drover.workflow_run r where r.id = b.root_run_id);
end $$;
