-- What a model costs at a time: the price of its provider before those of any, an exact name before a beginning,
-- a longer beginning before a shorter one, the newest of those. The twin of findPrice in packages/domain/src/price.ts.
create or replace function drover.price_of(
  p_provider text, p_model text, p_at timestamptz, out input_nanos_per_million bigint, out output_nanos_per_million bigint
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  select p.input_nanos_per_million, p.output_nanos_per_million into input_nanos_per_million, output_nanos_per_million
    from drover.price p
   where p.provider in (p_provider, '*') and drover.selects(p.model, p_model) and p.effective_from <= p_at
   order by p.provider = '*', p.model <> p_model, length(p.model) desc, p.effective_from desc
   limit 1;
end $$;

-- What a call costs in nanodollars, rounded up; the twin of callCostNanos.
create or replace function drover.call_cost(
  p_input_tokens bigint, p_output_tokens bigint, p_input_nanos_per_million bigint, p_output_nanos_per_million bigint
) returns bigint
language sql immutable parallel safe
return ceil((p_input_tokens::numeric * p_input_nanos_per_million + p_output_tokens::numeric * p_output_nanos_per_million) / 1000000)::bigint;
