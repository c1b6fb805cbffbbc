-- Limits, budgets, prices, and the ledger from which every counter of theirs can be rebuilt.
-- Money is in nanodollars: billionths of a US dollar.

-- An allowance of requests, tokens or calls at once, shared by the whole installation. Null selects everything;
-- a model may end in '*'. `held` is what calls under way may still use, `slots` what ended ones used, by the time of
-- their end: a ring of 60 parts of the window and the one under way, so that no window of any place holds more.
create table drover.rate_limit (
  id integer generated always as identity primary key,
  name text not null,
  provider text,
  model text,
  namespace_id integer references drover.namespace,
  workflow text,
  metric text not null,
  -- Null for calls at once.
  window_seconds integer,
  allowance bigint not null,
  held bigint not null default 0,
  newest_slot bigint not null default 0,
  slots bigint[] not null default array_fill(0::bigint, array[61]),
  actor text not null default '',
  updated_at timestamptz not null default now(),
  constraint rate_limit_name_is_unique unique (name),
  constraint rate_limit_name_is_a_word check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  constraint rate_limit_metric_is_known check (metric in ('requests', 'tokens', 'concurrent')),
  constraint rate_limit_window_belongs_to_use check ((metric = 'concurrent') = (window_seconds is null) and window_seconds > 0),
  constraint rate_limit_allowance_is_not_negative check (allowance >= 0),
  constraint rate_limit_has_all_slots check (cardinality(slots) = 61)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

-- An allowance of money. Those of runs and steps have no name and end with their run.
create table drover.budget (
  id bigint generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  name text,
  scope text not null,
  workflow text,
  root_run_id bigint,
  run_id bigint,
  step_number integer,
  step text,
  provider text,
  model text,
  -- Days and months of UTC.
  period text not null default 'none',
  limit_nanos bigint not null,
  alert_percents integer[] not null default '{}',
  when_exceeded text not null default 'fail',
  held_nanos bigint not null default 0,
  spent_nanos bigint not null default 0,
  -- Of which period spent_nanos speaks; null where there is none.
  period_started_at timestamptz,
  -- The highest threshold that was told in this period.
  alerted_percent integer not null default 0,
  actor text not null default '',
  updated_at timestamptz not null default now(),
  constraint budget_name_is_unique unique (namespace_id, name),
  constraint budget_name_is_a_word check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  constraint budget_scope_is_known check (scope in ('step', 'run', 'workflow', 'namespace')),
  constraint budget_scope_says_of_what check (
    (scope in ('step', 'run')) = (root_run_id is not null and run_id is not null and name is null)
    and (scope = 'step') = (step_number is not null) and (scope = 'workflow') = (workflow is not null)),
  constraint budget_period_is_known check (period in ('none', 'day', 'month')),
  constraint budget_waits_only_for_a_period check (when_exceeded = 'fail' or when_exceeded = 'wait' and period <> 'none'),
  constraint budget_limit_is_not_negative check (limit_nanos >= 0),
  constraint budget_thresholds_are_percents check (0 < all (alert_percents))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
-- Serves reserve: the budgets that a call has to fit into.
create index budget_of_namespace on drover.budget (namespace_id) where root_run_id is null;
create unique index budget_of_run on drover.budget (root_run_id, run_id, step_number) nulls not distinct where root_run_id is not null;

-- What models cost, from a time on. A change is a new row; '*' selects any provider, and the end of a model's name.
create table drover.price (
  id integer generated always as identity primary key,
  provider text not null,
  model text not null,
  input_nanos_per_million bigint not null,
  output_nanos_per_million bigint not null,
  effective_from timestamptz not null default now(),
  actor text not null,
  constraint price_is_unique unique (provider, model, effective_from),
  constraint price_is_not_negative check (input_nanos_per_million >= 0 and output_nanos_per_million >= 0),
  constraint price_is_for_something check (provider <> '' and model <> '')
);

-- Models that their provider takes no calls for, by what it said itself.
create table drover.provider_pause (
  provider text not null,
  model text not null,
  until_at timestamptz not null,
  primary key (provider, model)
);

-- Every reservation, its end, and GPU time. Rows are added and never changed; held_* adds up to what is held now.
-- A call is known by the id of its reserve entry. Its week is dropped only by hand: money is kept for years.
create table drover.ledger (
  id bigint not null,
  at timestamptz not null,
  kind text not null,
  namespace_id integer not null,
  call_id bigint,
  task_id bigint not null,
  run_id bigint,
  root_run_id bigint,
  workflow text,
  step text,
  provider text,
  model text,
  -- What was used.
  requests smallint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_nanos bigint not null default 0,
  gpu_ms bigint not null default 0,
  -- What was set aside (positive) or given back (negative), and in which limits and budgets.
  held_tokens bigint not null default 0,
  held_nanos bigint not null default 0,
  limit_ids integer[] not null default '{}',
  budget_ids bigint[] not null default '{}',
  primary key (id),
  constraint ledger_kind_is_known check (kind in ('reserve', 'settle', 'release', 'gpu')),
  constraint ledger_names_calls check ((kind = 'gpu') = (call_id is null)),
  constraint ledger_use_is_not_negative
    check (requests >= 0 and input_tokens >= 0 and output_tokens >= 0 and cost_nanos >= 0 and gpu_ms >= 0)
) partition by range (id);
-- Serves the cost of a run; the id of the run says from which week on to look.
create index ledger_of_run on drover.ledger (root_run_id) where root_run_id is not null;
-- Serves reports of a period, and skips what was only set aside.
create index ledger_of_namespace on drover.ledger (namespace_id, at) where kind in ('settle', 'gpu');

create function drover.refuse_ledger_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the ledger is only added to: correct it by another entry' using errcode = 'restrict_violation';
end $$;
create trigger ledger_stays before update or delete on drover.ledger
  for each row execute function drover.refuse_ledger_change();
create trigger ledger_is_not_emptied before truncate on drover.ledger
  for each statement execute function drover.refuse_ledger_change();

-- A call that waits for its turn in the queue of a model, with what it is measured by.
create type drover.call_request as (
  task_id bigint, sort_key bigint, attempt integer, namespace_id integer, run_id bigint, root_run_id bigint, step_number integer,
  workflow text, step text, provider text, model text, input_tokens bigint, max_output_tokens bigint,
  limit_ids integer[], budget_ids bigint[]
);

alter table drover.task_waiting
  -- What holds the task back, as people read it.
  add column blocker text,
  -- What it stands in line for, and how much of it it needs.
  add column limit_id integer,
  add column budget_id bigint,
  add column needs bigint;
-- Serve the lines: who is first, who is last.
create index task_waiting_limit on drover.task_waiting (limit_id, sort_key) where limit_id is not null;
create index task_waiting_limit_until on drover.task_waiting (limit_id, until_at) where limit_id is not null;
create index task_waiting_budget on drover.task_waiting (budget_id, sort_key) where budget_id is not null;

alter table drover.task_lease
  -- The reservation that dies with the lease: the id of its reserve entry.
  add column call_id bigint,
  -- GPUs that are charged when it ends; null: none.
  add column gpu_count integer;

-- Published prices per million tokens, as known when this was written: check yours. A model that nothing else names
-- costs what the last row says, so that no budget is passed by unseen.
insert into drover.price (provider, model, input_nanos_per_million, output_nanos_per_million, effective_from, actor)
select p.provider, p.model, (p.input * 1000000000)::bigint, (p.output * 1000000000)::bigint, '2000-01-01 00:00Z'::timestamptz, 'drover'
  from (values
    ('*', 'gpt-4*', 30, 60), ('*', 'gpt-4-turbo*', 10, 30), ('*', 'gpt-3.5-turbo*', 0.5, 1.5),
    ('*', 'claude-3-opus*', 15, 75), ('*', 'claude-3-sonnet*', 3, 15), ('*', 'claude-3-haiku*', 0.25, 1.25),
    ('*', 'gemini-3-pro*', 2, 12), ('*', 'gemini-3-flash*', 0.5, 3), ('*', 'gemini-2.5-pro*', 1.25, 10),
    ('*', 'gemini-2.5-flash*', 0.3, 2.5), ('*', 'gemini-2.5-flash-lite*', 0.1, 0.4), ('*', 'gemini-1.5-pro*', 1.25, 5),
    ('*', 'gemini-1.5-flash*', 0.075, 0.3), ('*', 'gemini-1.5-flash-8b*', 0.0375, 0.15), ('*', 'gemini-1.0-pro*', 0.5, 1.5),
    ('*', 'gemini-2.0-flash*', 0.1, 0.4),
    ('*', 'gpt-4o*', 2.5, 10), ('*', 'gpt-4o-mini*', 0.15, 0.6), ('*', 'gpt-4.1*', 2, 8), ('*', 'gpt-4.1-mini*', 0.4, 1.6),
    ('*', 'gpt-4.1-nano*', 0.1, 0.4), ('*', 'gpt-5*', 1.25, 10), ('*', 'gpt-5-mini*', 0.25, 2), ('*', 'gpt-5-nano*', 0.05, 0.4),
    ('*', 'o1*', 15, 60), ('*', 'o3*', 2, 8), ('*', 'o3-mini*', 1.1, 4.4), ('*', 'o4-mini*', 1.1, 4.4),
    ('*', 'claude-3-5-sonnet*', 3, 15), ('*', 'claude-3-5-haiku*', 0.8, 4), ('*', 'claude-3-7-sonnet*', 3, 15),
    ('*', 'claude-sonnet-4*', 3, 15), ('*', 'claude-opus-4*', 15, 75), ('*', 'claude-opus-4-5*', 5, 25), ('*', 'claude-haiku-4-5*', 1, 5),
    ('ollama', '*', 0, 0), ('echo', '*', 0, 0), ('echo', 'echo-priced', 10, 30),
    ('*', '*', 10, 30)
  ) as p (provider, model, input, output);
