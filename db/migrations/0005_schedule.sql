-- Schedules: workflows that are started by the clock.

create table drover.schedule (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  name text not null,
  workflow text not null,
  -- Null: the newest when it fires.
  workflow_version integer,
  input json not null default '{}',
  labels jsonb,
  cron text not null,
  time_zone text not null,
  starts_at timestamptz,
  ends_at timestamptz,
  jitter_ms integer not null default 0,
  catch_up text not null,
  catch_up_limit integer not null,
  overlap text not null,
  -- The first time that nobody has dealt with, and when it is to be fired (its jitter added); null: there is none any more.
  next_at timestamptz,
  due_at timestamptz,
  paused_at timestamptz,
  -- The newest time that started a run, and that run.
  last_at timestamptz,
  last_run_id bigint,
  -- Why the newest time started none; null once one does again.
  error text,
  error_at timestamptz,
  actor text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedule_name_is_unique unique (namespace_id, name),
  constraint schedule_name_is_not_blank check (name <> ''),
  constraint schedule_catch_up_is_known check (catch_up in ('skip', 'latest', 'all')),
  constraint schedule_catch_up_limit_is_positive check (catch_up_limit > 0),
  constraint schedule_overlap_is_known check (overlap in ('allow', 'skip')),
  constraint schedule_jitter_is_not_negative check (jitter_ms >= 0),
  constraint schedule_next_time_is_whole check ((next_at is null) = (due_at is null) and due_at >= next_at),
  constraint schedule_error_is_whole check ((error is null) = (error_at is null))
) with (fillfactor = 80);
-- Serves fire-schedules: what is due next.
create index schedule_due on drover.schedule (due_at) where paused_at is null and due_at is not null;
