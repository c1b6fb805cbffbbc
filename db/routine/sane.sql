-- What nodes tell is shown to everybody and decides where work goes, so it is brought into its form before it is stored:
-- a node that is out of order, or in the wrong hands, spoils what is said of itself at most.

-- Slots by class: whole numbers from 0 to 10,000; anything else is left out.
create or replace function drover.sane_slots(p_slots jsonb) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(e.key, e.value) filter (where e.key ~ '^[A-Za-z0-9_.:-]{1,100}$'
                  and case when jsonb_typeof(e.value) = 'number' and e.value #>> '{}' ~ '^[0-9]{1,5}$'
                           then (e.value #>> '{}')::integer <= 10000 else false end), '{}')
    from jsonb_each(case jsonb_typeof(p_slots) when 'object' then p_slots else '{}' end) e
$$;

-- Facts: texts; those that are counted with are whole numbers.
create or replace function drover.sane_facts(p_facts jsonb) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(f.key, left(f.value #>> '{}', 1000)) filter (where jsonb_typeof(f.value) = 'string'
                  and f.n <= 200 and length(f.key) <= 100
                  and (f.key not in ('cpu_cores', 'gpu_count', 'gpu_slots') or f.value #>> '{}' ~ '^[0-9]{1,6}$')
                  and (f.key not in ('memory_bytes', 'disk_bytes', 'disk_free_bytes') or f.value #>> '{}' ~ '^[0-9]{1,18}$')), '{}')
    from jsonb_each(case jsonb_typeof(p_facts) when 'object' then p_facts else '{}' end) with ordinality as f (key, value, n)
$$;

-- Ports of a container: numbers that are ports, and texts.
create or replace function drover.sane_ports(p_ports json) returns json
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(json_agg(o.value), '[]')
    from json_array_elements(case json_typeof(p_ports) when 'array' then p_ports else '[]' end) with ordinality as o (value, n)
   where o.n <= 200 and json_typeof(o.value) = 'object'
     and json_typeof(o.value -> 'hostIp') = 'string' and json_typeof(o.value -> 'protocol') = 'string'
     and case when json_typeof(o.value -> 'containerPort') = 'number' and json_typeof(o.value -> 'hostPort') = 'number'
                   and o.value ->> 'containerPort' ~ '^[0-9]{1,5}$' and o.value ->> 'hostPort' ~ '^[0-9]{1,5}$'
              then (o.value ->> 'containerPort')::integer <= 65535 and (o.value ->> 'hostPort')::integer <= 65535
              else false end
$$;

-- A time that a clock can show.
create or replace function drover.sane_time(p_time timestamptz) returns timestamptz
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when p_time between timestamptz '2000-01-01 00:00+00' and now() + interval '1 year' then p_time end
$$;
