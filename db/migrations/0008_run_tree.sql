-- How many nested runs a run has begun, those of nested ones included: what bounds a workflow that starts itself many
-- times over. No row: none.
create table drover.run_tree (
  root_run_id bigint primary key,
  nested_runs bigint not null
) with (fillfactor = 50);
