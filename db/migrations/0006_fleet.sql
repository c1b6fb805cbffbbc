-- The fleet: what operators say of nodes, how nodes join, their GPUs, and which task is to run where.

alter table drover.holder
  add column labels jsonb not null default '{}',
  add column taints text[] not null default '{}',
  add column cordoned_at timestamptz,
  add column cordon_reason text,
  -- Set by an operator: outlives restarts of the agent, unlike the state.
  add column drain_requested_at timestamptz,
  add column drain_deadline_at timestamptz,
  add column lost_at timestamptz,
  -- A removed node may not come back under its old login.
  add column removed_at timestamptz,
  -- Moves when the replicas or requests of the node change, so that a sync need not look.
  add column revision bigint not null default 0,
  add column images text[] not null default '{}',
  add column models text[] not null default '{}';

-- One-time permission for a host to become a node. Only a hash of the token is kept.
create table drover.join_token (
  id integer generated always as identity primary key,
  namespace_id integer not null references drover.namespace,
  hash bytea not null unique,
  -- Null: the host chooses its name.
  node_name text,
  labels jsonb not null default '{}',
  taints text[] not null default '{}',
  actor text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by integer references drover.holder on delete set null,
  revoked_at timestamptz
);

-- What a node has of GPUs, or slices of them, that can be given away one slot at a time.
create table drover.gpu (
  id integer generated always as identity primary key,
  holder_id integer not null references drover.holder on delete cascade,
  uuid text not null,
  kind text not null,
  vendor text not null,
  number integer not null,
  model text not null,
  memory_mib integer not null,
  driver text not null default '',
  -- Of MIG slices: 1g.10gb, and the GPU that they are cut from.
  profile text,
  parent_uuid text,
  slot_count integer not null default 1,
  state text not null default 'ready',
  -- Why it is not ready.
  evidence text,
  -- Set where an operator or a failed container says so, and not only the last inventory.
  cordoned_at timestamptz,
  utilization_percent smallint,
  seen_at timestamptz not null default now(),
  constraint gpu_uuid_is_unique unique (holder_id, uuid),
  constraint gpu_kind_is_known check (kind in ('whole', 'mig', 'shared')),
  constraint gpu_vendor_is_known check (vendor in ('nvidia', 'amd')),
  constraint gpu_state_is_known check (state in ('ready', 'cordoned', 'gone')),
  constraint gpu_has_slots check (slot_count between 1 and 64)
);

-- Which node a pending task is to run on. It ends with the task's row in task_ready, or later with its lease.
create table drover.task_placement (
  task_id bigint primary key,
  queue_id integer not null,
  sort_key bigint not null,
  holder_id integer not null references drover.holder on delete cascade,
  placed_at timestamptz not null default now(),
  -- Of the lease, once the node has claimed it.
  fence bigint
) with (fillfactor = 80);
-- Serves the claim of a node, in the order of its queues.
create index task_placement_open on drover.task_placement (holder_id, sort_key) where fence is null;

-- A slot of a GPU that is given away: the primary key is what keeps two from holding it.
create table drover.gpu_allocation (
  gpu_id integer not null references drover.gpu on delete cascade,
  slot integer not null,
  task_id bigint references drover.task_placement on delete cascade,
  replica_id bigint,
  -- Set aside of a shared GPU.
  memory_mib integer,
  allocated_at timestamptz not null default now(),
  primary key (gpu_id, slot),
  constraint gpu_allocation_has_one_owner check (num_nonnulls(task_id, replica_id) = 1)
);
create index gpu_allocation_of_task on drover.gpu_allocation (task_id) where task_id is not null;
create index gpu_allocation_of_replica on drover.gpu_allocation (replica_id) where replica_id is not null;

-- Tasks that have to be placed wait in queues of their own, of the type `placed`.
alter table drover.queue drop constraint queue_type_belongs_to_workers_and_calls;
alter table drover.queue add constraint queue_type_fits_executor
  check (case when executor in ('worker', 'llm') then task_type <> '' else task_type in ('', 'placed') end);
