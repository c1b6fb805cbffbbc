-- A count with its noun.
create or replace function drover.count_text(p_count bigint, p_noun text) returns text
language sql immutable parallel safe
return p_count || ' ' || p_noun || case when p_count = 1 then '' else 's' end;

-- An amount as people read it.
create or replace function drover.money_text(p_nanos bigint) returns text
language sql immutable parallel safe
return trim_scale(p_nanos / 1000000000.0) || ' USD';

-- A count that a program reported, as far as it is one: what is no whole number is null.
create or replace function drover.token_count(p_value json) returns bigint
language sql immutable parallel safe
return case when p_value::text ~ '^[0-9]{1,12}([.]0*)?$' then floor(p_value::text::numeric)::bigint end;

-- A key in decimal digits, or as ids of runs are written; null where it is none.
create or replace function drover.read_key(p_text text) returns bigint
language sql immutable parallel safe
return case when p_text ~ '^[0-9]{1,19}$' and p_text::numeric <= 9223372036854775807 then p_text::bigint
  when p_text ~ '^run-[0-7][0-9a-f]{15}$' then ('x' || right(p_text, 16))::bit(64)::bigint end;

-- Whether a selector takes a name: null takes all, and one that ends in '*' all that begin like it.
create or replace function drover.selects(p_selector text, p_name text) returns boolean
language sql immutable parallel safe
return p_selector is null or p_selector = p_name or right(p_selector, 1) = '*' and starts_with(p_name, left(p_selector, -1));
