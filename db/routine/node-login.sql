-- The database role of a node. Roles belong to the whole server: the database's name keeps two installations apart.
create or replace function drover.node_role(p_holder_id integer) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select left(format('drover_node_%s_%s', p_holder_id, md5(current_database())), 63);
$$;

-- Under which namespace a node is noted: where it was first, or the given one. Nodes serve all namespaces, so that there is
-- one of a name; two that come at once take turns.
create or replace function drover.node_namespace(p_namespace_id integer, p_name text) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(1146244950, 4);
  return coalesce(
    (select h.namespace_id from drover.holder h where h.kind = 'node' and h.name = p_name
      order by h.removed_at is not null, h.id limit 1),
    p_namespace_id);
end $$;

-- A database login of its own for a node: it may execute the node protocol, and only for that node. A node that was
-- removed is one again by it.
create or replace function drover.ensure_node_login(p_namespace_id integer, p_name text, p_password text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  node_id integer;
  role_name text;
begin
  insert into drover.holder as h (namespace_id, kind, name, state)
  values (drover.node_namespace(p_namespace_id, p_name), 'node', p_name, 'lost')
  on conflict on constraint holder_name_is_unique do update
     set removed_at = null, joined_at = case when h.removed_at is null then h.joined_at else now() end
  returning h.id into node_id;
  role_name := drover.node_role(node_id);
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

-- Takes the login of a node away: no new session is let in, and those that are open are refused whatever they ask.
-- What the node holds is handed on when its lease has run out, as if it had gone silent. False: it has no login.
create or replace function drover.revoke_node_login(p_holder_id integer, p_actor text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  role_name text := drover.node_role(p_holder_id);
  node record;
begin
  perform pg_advisory_xact_lock(1146244950, 4);
  update drover.holder h
     -- It may be cut off and at work still: it counts as lost from the end of its lease.
     set login = null, epoch = h.epoch + 1, state = 'lost', lost_at = coalesce(h.lost_at, (
           select l.expires_at + c.lease_margin_seconds * interval '1 second'
             from drover.holder_lease l cross join drover.control c where l.holder_id = h.id), now())
   where h.id = p_holder_id and h.login is not null
  returning h.namespace_id, h.name into node;
  if not found then
    return false;
  end if;
  if exists (select from pg_roles where rolname = role_name) then
    execute format('alter role %I nologin password null', role_name);
  end if;
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), node.namespace_id, 'node.login_revoked', p_actor, json_build_object('name', node.name));
  return true;
end $$;

-- Ends the sessions of a node's role, once its revocation is committed (before, it could come back at once); how many.
create or replace function drover.end_node_sessions(p_holder_id integer) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  role_name text := drover.node_role(p_holder_id);
  ended integer;
begin
  if not exists (select from pg_roles where rolname = role_name) then
    return 0;
  end if;
  begin
    select count(*) filter (where pg_terminate_backend(a.pid)) into ended from pg_stat_activity a where a.usename = role_name;
  exception when insufficient_privilege then
    -- Who made a role may end its sessions only as a member of it.
    execute format('grant %I to current_user', role_name);
    select count(*) filter (where pg_terminate_backend(a.pid)) into ended from pg_stat_activity a where a.usename = role_name;
    execute format('revoke %I from current_user', role_name);
  end;
  return ended;
end $$;

-- Lets no new session of a node in, whoever holds what: before its login is taken away its sessions can be ended.
create or replace function drover.bar_node(p_holder_id integer) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  role_name text := drover.node_role(p_holder_id);
begin
  if exists (select from pg_roles where rolname = role_name) then
    execute format('alter role %I nologin', role_name);
  end if;
end $$;

-- Ends sessions of nodes that stand in everybody's way: PostgreSQL gives advisory locks to every login, and lets anyone
-- leave a transaction open. An agent does neither: it sends single statements, none of which takes long. Answers with
-- the names of the nodes, which events tell as well.
create or replace function drover.end_obstructing_sessions(p_seconds double precision) returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  found_node record;
  names text[] := '{}';
begin
  for found_node in
    select h.id, h.name, h.namespace_id
      from pg_stat_activity a join drover.holder h on h.login = a.usename and h.kind = 'node'
     where a.datname = current_database()
       and (a.xact_start < clock_timestamp() - p_seconds * interval '1 second'
         or a.state = 'idle' and exists (
              select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.classid between 1146244950 and 1146244959))
     group by h.id
  loop
    perform drover.end_node_sessions(found_node.id);
    names := names || found_node.name;
    insert into drover.event (id, namespace_id, kind, actor, data)
    values (drover.next_id(), found_node.namespace_id, 'node.sessions_ended', 'sweep', json_build_object('name', found_node.name));
  end loop;
  return names;
end $$;

-- The role of a node that was removed.
create or replace function drover.drop_node_role(p_holder_id integer) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  role_name text := drover.node_role(p_holder_id);
begin
  perform pg_advisory_xact_lock(1146244950, 4);
  if exists (select from pg_roles where rolname = role_name)
     and not exists (select from drover.holder h where h.id = p_holder_id and h.login is not null) then
    execute format('revoke all on database %I from %I', current_database(), role_name);
    -- Large objects may be made by every login.
    perform lo_unlink(m.oid) from pg_largeobject_metadata m where m.lomowner = (select r.oid from pg_roles r where r.rolname = role_name);
    execute format('drop role %I', role_name);
  end if;
end $$;
