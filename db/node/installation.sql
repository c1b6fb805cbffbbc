-- Which installation of Drover this database is.
create or replace function node.installation() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select i.id::text from drover.installation i;
$$;

-- The name of the node whose login asks; null: it is no node's.
create or replace function node.own_name() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select h.name from drover.holder h where h.login = session_user and h.kind = 'node';
$$;
