-- Namespaces, classes, queues, holders: who may submit, where tasks wait, who may run them.

create schema if not exists drover;
create schema if not exists node;

-- Time-ordered ids: milliseconds since 2020-01-01 in the upper 41 bits, a sequence in the lower 22.
-- Range partitions by id are therefore partitions by time.
create sequence drover.id_sequence cache 64 cycle maxvalue 4194303 minvalue 0 start 0;
create sequence drover.fence_sequence;

create table drover.namespace (
  id integer generated always as identity primary key,
  name text not null unique,
  created_at timestamptz not null default now(),
  constraint namespace_name_is_a_word check (name ~ '^[a-z][a-z0-9-]{0,62}$')
);

create table drover.class (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  name text not null,
  concurrency_limit integer,
  depth_limit bigint,
  default_image text,
  paused_at timestamptz,
  created_at timestamptz not null default now(),
  constraint class_name_is_unique unique (namespace_id, name),
  constraint class_name_is_a_word check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  constraint class_limits_are_not_negative check (concurrency_limit >= 0 and depth_limit >= 0)
);

-- One line of tasks that the same holders can run: claims read it by its own stretch of an index.
create table drover.queue (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  class_id integer not null references drover.class,
  executor text not null,
  task_type text not null default '',
  constraint queue_is_unique unique (class_id, executor, task_type),
  constraint queue_executor_is_known check (executor in ('docker', 'process', 'llm', 'worker')),
  constraint queue_type_belongs_to_workers check ((executor = 'worker') = (task_type <> ''))
);

-- Who may hold leases: a node's agent, or a worker of the SDK. Written at registration, read often.
create table drover.holder (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  kind text not null,
  name text not null,
  -- Database role that may act for this holder; null: only the control plane's own role.
  login text unique,
  -- Counts the lives of the process: an older life is fenced off by a newer one.
  epoch bigint not null default 0,
  state text not null default 'ready',
  executors text[] not null default '{}',
  task_types text[] not null default '{}',
  -- Null: every class.
  classes text[],
  slots jsonb not null default '{}',
  facts jsonb not null default '{}',
  version text not null default '',
  joined_at timestamptz not null default now(),
  constraint holder_name_is_unique unique (namespace_id, kind, name),
  constraint holder_kind_is_known check (kind in ('node', 'worker')),
  constraint holder_state_is_known check (state in ('ready', 'draining', 'lost'))
);

-- The heartbeat: one narrow row, no index but its key, room on the page for HOT updates.
create table drover.holder_lease (
  holder_id integer primary key references drover.holder on delete cascade,
  epoch bigint not null,
  expires_at timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- What the whole installation agrees on, and what its loops remember. One row.
create table drover.control (
  is_only boolean primary key default true,
  lease_seconds integer not null default 30,
  -- A lease is taken back only this much after its end, so that clocks need not agree.
  lease_margin_seconds integer not null default 10,
  -- The whole fleet's syncs per second stay under this.
  sync_rate_limit integer not null default 200,
  live_holders integer not null default 0,
  swept_at timestamptz not null default now(),
  -- Nobody is declared lost until a lease and its margin have passed since.
  resumed_at timestamptz not null default now(),
  counted_xid xid8 not null default '0',
  counted_id bigint not null default 0,
  constraint control_has_one_row check (is_only),
  constraint control_values_make_sense check (lease_seconds >= 1 and lease_margin_seconds >= 0 and sync_rate_limit >= 1)
);
insert into drover.control default values;

with created as (insert into drover.namespace (name) values ('default') returning id)
insert into drover.class (namespace_id, name)
select created.id, name from created, unnest(array['cpu_short', 'cpu_long', 'gpu', 'gpu_slurm']) as name;
