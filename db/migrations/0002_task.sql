-- Tasks: written once, then moved. A task is in exactly one of task_ready (pending), task_waiting (waiting),
-- task_lease (running) and task_final (completed, failed, cancelled): the place is the state.

create function drover.sort_key(task_id bigint, priority integer) returns bigint
language sql immutable parallel safe
-- One level of priority weighs as much as a minute of waiting, so nothing starves.
return (task_id >> 22) - priority * 60000::bigint;

create table drover.task (
  id bigint not null,
  namespace_id integer not null,
  queue_id integer not null,
  priority smallint not null default 0,
  timeout_seconds integer not null default 1800,
  -- The id that the client chose; null: the text form of id.
  name text,
  payload json,
  execution json,
  -- Null: the default policy (packages/domain/src/retry.ts).
  retry json,
  labels jsonb,
  primary key (id)
) partition by range (id);
-- Serves list by label.
create index task_labels on drover.task using gin (labels jsonb_path_ops) where labels is not null;

-- Names that clients chose, bound to the body they were first used with.
create table drover.task_key (
  namespace_id integer not null,
  kind text not null,
  key text not null,
  task_id bigint not null,
  request_hash bytea not null,
  primary key (namespace_id, kind, key),
  constraint task_key_kind_is_known check (kind in ('id', 'idempotency'))
);

create table drover.task_ready (
  queue_id integer not null,
  sort_key bigint not null,
  task_id bigint not null,
  attempt integer not null default 0,
  -- Serves claim, and finds the row of a task, whose sort key never changes.
  primary key (queue_id, sort_key, task_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);

create table drover.task_waiting (
  task_id bigint primary key,
  queue_id integer not null,
  sort_key bigint not null,
  attempt integer not null,
  reason text not null,
  until_at timestamptz not null,
  constraint task_waiting_reason_is_known check (reason in ('delayed', 'retrying', 'rate_limited', 'blocked'))
) with (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);
-- Serves promote.
create index task_waiting_due on drover.task_waiting (until_at);

create table drover.task_lease (
  task_id bigint primary key,
  fence bigint not null,
  holder_id integer not null,
  queue_id integer not null,
  -- Set where the class has a concurrency limit: these rows are its slots.
  limited_class_id integer,
  attempt integer not null,
  started_at timestamptz not null default now(),
  deadline_at timestamptz not null,
  cancel_requested_at timestamptz,
  cancel_reason text
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
-- Counts the slots of a limited class; costs nothing for the others.
create index task_lease_limited on drover.task_lease (limited_class_id) where limited_class_id is not null;
-- Serves sync: what a holder is asked to stop.
create index task_lease_cancelled on drover.task_lease (holder_id) where cancel_requested_at is not null;

create table drover.task_final (
  task_id bigint not null,
  state text not null,
  attempt integer not null,
  holder_id integer,
  started_at timestamptz,
  finished_at timestamptz not null default now(),
  result json,
  error json,
  primary key (task_id),
  constraint task_final_state_is_final check (state in ('completed', 'failed', 'cancelled'))
) partition by range (task_id);
-- Serves the list of dead letters.
create index task_final_dead on drover.task_final (state, task_id) where state <> 'completed';

-- Attempts that did not end their task: failed with a retry to come, lost, handed back.
create table drover.task_attempt (
  task_id bigint not null,
  fence bigint not null,
  attempt integer not null,
  holder_id integer not null,
  started_at timestamptz not null,
  finished_at timestamptz not null default now(),
  outcome text not null,
  error json,
  -- False after a redrive: the next failure starts a new count.
  is_counted boolean not null default true,
  primary key (task_id, fence),
  constraint task_attempt_outcome_is_known check (outcome in ('failed', 'lost', 'released'))
) partition by range (task_id);

create table drover.task_log (
  task_id bigint not null,
  attempt integer not null,
  chunk integer not null,
  -- Lines as [stream, unix milliseconds, text].
  lines json not null,
  primary key (task_id, attempt, chunk)
) partition by range (task_id);

-- Facts, one row per statement that caused them: task_ids names every task it is about.
-- Read in order of (xid, id) below the oldest running transaction, so no reader ever skips one.
create table drover.event (
  id bigint not null,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default now(),
  namespace_id integer not null,
  kind text not null,
  actor text not null,
  task_ids bigint[] not null default '{}',
  data json,
  primary key (id)
) partition by range (id);
create index event_cursor on drover.event (xid, id);

-- How many facts of a kind there were, summed up from the events by the sweep.
create table drover.event_total (
  kind text primary key,
  total bigint not null
) with (fillfactor = 50);
