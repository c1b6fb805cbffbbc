-- The agent role may execute the node protocol and nothing else.
do $$
declare
  f regprocedure;
begin
  if not exists (select from pg_roles where rolname = 'drover_agent') then
    create role drover_agent nologin;
  end if;
  revoke all on schema drover from public;
  revoke all on all functions in schema drover from public;
  revoke all on schema node from public;
  grant usage on schema node to drover_agent;
  for f in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'node'::regnamespace loop
    execute format('revoke all on function %s from public', f);
    execute format('grant execute on function %s to drover_agent', f);
  end loop;
end $$;
