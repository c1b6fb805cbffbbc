-- The agent role may execute the node protocol and nothing else. Applied after all functions have been made.
-- Every function pins its search_path to "pg_catalog, pg_temp": unless it is named last, the caller's temporary
-- schema is searched first for types and tables, and a domain in it would run the caller's code as our owner.
do $$
declare
  f regprocedure;
begin
  if not exists (select from pg_roles where rolname = 'drover_agent') then
    begin
      create role drover_agent nologin;
    exception when duplicate_object or unique_violation then
      null; -- roles belong to the whole server: another installation on it was faster
    end;
  end if;
  execute format('revoke create, temporary on database %I from public', current_database());
  revoke all on schema drover from public;
  revoke all on all functions in schema drover from public;
  revoke all on schema node from public;
  grant usage on schema node to drover_agent;
  for f in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'node'::regnamespace loop
    execute format('revoke all on function %s from public', f);
    execute format('grant execute on function %s to drover_agent', f);
  end loop;
end $$;
