-- Which installation of Drover a database is. Agents write its id on everything that they make on a container engine, so
-- that two installations whose nodes have one name leave each other's things alone. One row.
create table drover.installation (
  is_only boolean primary key default true,
  id uuid not null default gen_random_uuid(),
  constraint installation_has_one_row check (is_only)
);
insert into drover.installation default values;
