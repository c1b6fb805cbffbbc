-- Workflows: versions that never change, runs of them, and the steps of a run.
-- A run that is not final has a row in run_open: whoever locks it advances the run, nobody else does.

create table drover.workflow (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  name text not null,
  newest_version integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint workflow_name_is_unique unique (namespace_id, name),
  constraint workflow_name_is_not_blank check (name <> '')
);

create table drover.workflow_version (
  id integer generated always as identity primary key,
  workflow_id integer not null references drover.workflow,
  number integer not null,
  format text not null,
  -- As it was handed in, and what it was compiled to (packages/domain/src/workflow/definition.ts).
  source text not null,
  definition json not null,
  actor text not null,
  created_at timestamptz not null default now(),
  constraint workflow_version_number_is_unique unique (workflow_id, number),
  constraint workflow_version_format_is_known
    check (format in ('drover', 'dspy', 'configurable-agents', 'agent-orchestration-engine'))
);

-- What was asked for; written once. A body (map, loop, inline steps) or another workflow runs as a run of its own
-- with a parent; costs and cancellation follow root_run_id.
create table drover.workflow_run (
  id bigint not null,
  namespace_id integer not null,
  workflow_id integer not null,
  version_id integer not null,
  -- Ids of the steps whose inline body this is, joined by '/'; null: the workflow itself.
  body text,
  root_run_id bigint not null,
  parent_run_id bigint,
  parent_step integer,
  parent_item integer,
  -- How many runs it is nested in: bounds workflows that start themselves.
  depth smallint not null default 0,
  input json not null default '{}',
  idempotency_key text,
  labels jsonb,
  actor text not null,
  deadline_at timestamptz,
  primary key (id)
) partition by range (id);
-- Serves the list of a workflow's runs, newest first.
create index workflow_run_of_workflow on drover.workflow_run (workflow_id, id) where parent_run_id is null;
-- Serves cancellation and cost of a run with its nested ones.
create index workflow_run_of_root on drover.workflow_run (root_run_id);

-- A run that is not final: its counters, which say when it is, and what it remembers between steps.
create table drover.run_open (
  run_id bigint primary key,
  started_at timestamptz,
  -- When somebody must look at it though nothing was signalled: a wait, a deadline.
  wake_at timestamptz,
  cancel_requested_at timestamptz,
  cancel_reason text,
  -- Why no further step is started: cancelled, deadline, failed. Null: it goes on.
  stopping text,
  -- Steps by what became of them. Tolerated: failed ones that were allowed to.
  steps_total integer not null,
  completed integer not null default 0,
  failed integer not null default 0,
  tolerated integer not null default 0,
  skipped integer not null default 0,
  cancelled integer not null default 0,
  -- Tasks and nested runs in flight, and rows of steps held back by a limit of parallelism.
  running integer not null default 0,
  held integer not null default 0,
  -- Values of the workflow's state fields.
  fields json,
  -- Events that came before a step waited for them.
  mailbox json,
  constraint run_open_stopping_is_known check (stopping in ('cancelled', 'deadline', 'failed')),
  constraint run_open_counts_are_not_negative
    check (steps_total >= 0 and completed >= 0 and failed >= tolerated and tolerated >= 0 and skipped >= 0 and cancelled >= 0
      and running >= 0 and held >= 0)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Serves advance: runs whose time has come.
create index run_open_due on drover.run_open (wake_at) where wake_at is not null;

create table drover.run_final (
  run_id bigint not null,
  state text not null,
  started_at timestamptz,
  finished_at timestamptz not null default now(),
  steps_total integer not null,
  completed integer not null,
  failed integer not null,
  tolerated integer not null,
  skipped integer not null,
  cancelled integer not null,
  fields json,
  output json,
  error json,
  primary key (run_id),
  constraint run_final_state_is_final check (state in ('completed', 'partially_completed', 'failed', 'cancelled'))
) partition by range (run_id);

-- What a run is to look at: a task or nested run that ended, an event, a decision. Deleted by the advance that saw it.
create table drover.run_signal (
  id bigint generated always as identity primary key,
  run_id bigint not null,
  kind text not null,
  task_id bigint,
  child_run_id bigint,
  data json,
  constraint run_signal_kind_is_known check (kind in ('start', 'task', 'run', 'event', 'decision', 'cancel'))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 5000);
-- Serves advance: the signals of the runs that it locked.
create index run_signal_of_run on drover.run_signal (run_id);

-- Keys that make a repeated start harmless.
create table drover.run_key (
  workflow_id integer not null,
  key text not null,
  run_id bigint not null,
  request_hash bytea not null,
  primary key (workflow_id, key)
);

-- A step that was reached. Item -1 is the step itself, 0 and up are its items (each), rounds (repeat) or turns (llm).
create table drover.step (
  run_id bigint not null,
  number integer not null,
  item integer not null default -1,
  state text not null,
  -- What works on it: the newest task, or the nested run.
  task_id bigint,
  child_run_id bigint,
  -- Places of the exits that were taken, where some are conditional.
  exits smallint[],
  -- The value of an item; what an approval, a conversation or a wait remembers.
  data json,
  -- Null where the output is the task's result or the nested run's output.
  output json,
  error json,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (run_id, number, item),
  constraint step_state_is_known
    check (state in ('pending', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled'))
) partition by range (run_id);
-- Serves a run that may not start all that is ready at once, and one that an event or the time may move.
create index step_idle on drover.step (run_id, state, number, item) where state in ('pending', 'waiting');

-- What agents of workflows remember from one run to the next: values by scope and key.
create table drover.memory (
  namespace_id integer not null references drover.namespace,
  scope text not null,
  key text not null,
  value json not null,
  updated_at timestamptz not null default now(),
  primary key (namespace_id, scope, key)
);

alter table drover.task add column run_id bigint, add column step_number integer, add column step_item integer;
-- Copied from the task by the claim, so that the end of an attempt can signal the run without reading it.
alter table drover.task_lease add column run_id bigint;
-- Facts about runs, beside those about tasks.
alter table drover.event add column run_ids bigint[] not null default '{}';

-- A call of a model waits in the queue of its provider: only nodes that can reach it claim it.
alter table drover.queue drop constraint queue_type_belongs_to_workers;
alter table drover.queue add constraint queue_type_belongs_to_workers_and_calls
  check ((executor in ('worker', 'llm')) = (task_type <> ''));
insert into drover.class (namespace_id, name)
select n.id, 'llm' from drover.namespace n where n.name = 'default'
on conflict on constraint class_name_is_unique do nothing;
