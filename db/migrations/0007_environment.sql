-- Environments: declarations in generations, and the replicas that they want on nodes.

create table drover.environment (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  name text not null,
  -- The newest generation; replicas follow it at the pace of the update policy.
  generation integer not null default 0,
  -- Set while a roll-out stands still because a new replica failed.
  paused_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint environment_name_is_unique unique (namespace_id, name),
  constraint environment_name_is_a_word check (name ~ '^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$')
);

-- What was applied; never changes.
create table drover.environment_generation (
  environment_id integer not null references drover.environment on delete cascade,
  generation integer not null,
  source text not null,
  declaration json not null,
  -- The generation that a rollback went back to.
  copy_of integer,
  actor text not null,
  created_at timestamptz not null default now(),
  primary key (environment_id, generation)
);

-- What operators say of a service apart from its declaration, which survives further generations.
create table drover.service (
  id integer generated always as identity primary key,
  environment_id integer not null references drover.environment on delete cascade,
  name text not null,
  is_stopped boolean not null default false,
  -- Counts the restarts that were asked for.
  round integer not null default 0,
  overrides json not null default '{}',
  constraint service_name_is_unique unique (environment_id, name)
);

-- A wanted instance of a service: desired state.
create table drover.replica (
  id bigint primary key,
  namespace_id integer not null,
  environment_id integer not null references drover.environment on delete cascade,
  service_id integer not null references drover.service on delete cascade,
  number integer not null,
  generation integer not null,
  -- Everything that the agent makes the container from, and a digest of it.
  spec json not null,
  spec_hash text not null,
  wanted text not null default 'running',
  round integer not null default 0,
  -- Null: not placed yet.
  holder_id integer references drover.holder on delete set null,
  placed_at timestamptz,
  -- Runs on only until its replacement on another node does.
  is_leaving boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint replica_wanted_is_known check (wanted in ('running', 'stopped', 'gone'))
);
create unique index replica_is_unique on drover.replica (service_id, number) where wanted <> 'gone' and not is_leaving;
create index replica_of_environment on drover.replica (environment_id);
-- Serves the sync of a node.
create index replica_of_holder on drover.replica (holder_id);
alter table drover.gpu_allocation
  add constraint gpu_allocation_replica_id_fkey foreign key (replica_id) references drover.replica on delete cascade;

-- What the node last said of a replica: observed state. No row: nothing was said yet.
create table drover.replica_status (
  replica_id bigint primary key references drover.replica on delete cascade,
  holder_id integer not null,
  state text not null,
  -- Whether its last probe succeeded; null: none was made.
  is_healthy boolean,
  message text not null default '',
  container_id text,
  image_digest text,
  spec_hash text,
  round integer,
  started_at timestamptz,
  healthy_since timestamptz,
  restarts integer not null default 0,
  exit_code integer,
  -- As {"containerPort", "hostPort", "hostIp", "protocol"}.
  ports json not null default '[]',
  -- 0 to 100 while it starts: pulls count.
  progress smallint not null default 0,
  -- What was found changed on the container, where the agent only tells and does not act.
  drift json,
  changed_at timestamptz not null default now(),
  constraint replica_status_state_is_known
    check (state in ('pending', 'starting', 'running', 'unhealthy', 'stopping', 'stopped', 'failed'))
) with (fillfactor = 80);

-- What the API asks of a node at once: lines of a log, a probe, a pull, figures of use. Dies at its time.
create table drover.node_request (
  id bigint primary key,
  holder_id integer not null references drover.holder on delete cascade,
  kind text not null,
  spec json not null,
  expires_at timestamptz not null,
  is_done boolean not null default false,
  constraint node_request_kind_is_known check (kind in ('logs', 'probe', 'pull', 'usage'))
);
create index node_request_of_holder on drover.node_request (holder_id) where not is_done;

create table drover.node_reply (
  request_id bigint not null references drover.node_request on delete cascade,
  chunk integer not null,
  body json not null,
  is_last boolean not null default false,
  primary key (request_id, chunk)
);
