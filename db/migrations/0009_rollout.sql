-- How far an environment has come with what it is to be, and that it is to go.

alter table drover.environment
  -- Whoever changes what its replicas should be sets it; the roll-out clears it when they are.
  add column is_rolling boolean not null default true,
  add column deletion_requested_at timestamptz;
-- Serves the loop that rolls out.
create index environment_rolling on drover.environment (id) where is_rolling;

-- The newest generation with which all replicas of the service were healthy; 0: none yet. Where a roll-out goes back to.
alter table drover.service add column settled_generation integer not null default 0;
