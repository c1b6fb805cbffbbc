-- A database login of its own for a node: it may execute the node protocol, and only for that node.
create or replace function drover.ensure_node_login(p_namespace_id integer, p_name text, p_password text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  node_id integer;
  role_name text;
begin
  insert into drover.holder as h (namespace_id, kind, name, state)
  values (p_namespace_id, 'node', p_name, 'lost')
  on conflict on constraint holder_name_is_unique do update set name = excluded.name
  returning h.id into node_id;
  -- Roles belong to the whole server: the database's name keeps two installations apart.
  role_name := left(format('drover_node_%s_%s', node_id, md5(current_database())), 63);
  perform pg_advisory_xact_lock(1146244950, 3);
  if exists (select from pg_roles where rolname = role_name) then
    execute format('alter role %I login password %L', role_name, p_password);
  else
    execute format('create role %I login password %L connection limit 4', role_name, p_password);
  end if;
  execute format('grant drover_agent to %I', role_name);
  execute format('grant connect on database %I to %I', current_database(), role_name);
  update drover.holder h set login = role_name where h.id = node_id and h.login is distinct from role_name;
  return role_name;
end $$;
