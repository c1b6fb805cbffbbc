-- A limit's window slides by slots: a 60th of it each. What an ended call used counts from its end until the slot of
-- that moment is a whole window old, what a call under way may use counts all the time. So whenever between its
-- reservation and its end a call reaches the provider, no stretch of a window's length ever holds more than the allowance.
-- The twins of these functions are in packages/domain/src/rate-limit.ts.

create or replace function drover.slot_at(p_window_seconds integer, p_at timestamptz) returns bigint
language sql immutable parallel safe
return floor(extract(epoch from p_at) * 60 / p_window_seconds)::bigint;

-- The ring of slots as it is at a later slot: what is out of the window is zero.
create or replace function drover.turn_slots(p_slots bigint[], p_newest bigint, p_slot bigint) returns bigint[]
language plpgsql immutable parallel safe
as $$
begin
  if p_slot - p_newest >= 61 then
    return array_fill(0::bigint, array[61]);
  end if;
  for n in 1 .. p_slot - p_newest loop
    p_slots[1 + (p_newest + n) % 61] := 0;
  end loop;
  return p_slots;
end $$;

-- Adds a use to the slot of its time; to the oldest one when a clock that was set back says that it is older still.
create or replace function drover.add_to_slots(p_slots bigint[], p_newest bigint, p_slot bigint, p_amount bigint) returns bigint[]
language plpgsql immutable parallel safe
as $$
declare
  place integer := 1 + greatest(p_slot, p_newest - 60) % 61;
begin
  if p_slot > p_newest then
    p_slots := drover.turn_slots(p_slots, p_newest, p_slot);
  end if;
  p_slots[place] := p_slots[place] + p_amount;
  return p_slots;
end $$;

-- What ended calls used within the window that ends now.
create or replace function drover.slots_used(p_slots bigint[], p_newest bigint, p_window_seconds integer, p_now timestamptz) returns bigint
language plpgsql immutable parallel safe
as $$
declare
  slot bigint := drover.slot_at(p_window_seconds, p_now);
  total bigint := 0;
  used bigint;
begin
  if p_newest = 0 then
    return 0;
  end if;
  if slot > p_newest then
    p_slots := drover.turn_slots(p_slots, p_newest, slot);
  end if;
  foreach used in array p_slots loop
    total := total + used;
  end loop;
  return total;
end $$;

-- When so much will have left the window by time alone; null where it never does.
create or replace function drover.slots_freed_at(
  p_slots bigint[], p_newest bigint, p_window_seconds integer, p_amount bigint, p_now timestamptz
) returns timestamptz
language plpgsql immutable parallel safe
as $$
declare
  slot bigint := greatest(p_newest, drover.slot_at(p_window_seconds, p_now));
  freed bigint := 0;
begin
  p_slots := drover.turn_slots(p_slots, p_newest, slot);
  for n in 1 .. 61 loop
    freed := freed + p_slots[1 + (slot - 61 + n) % 61];
    if freed >= p_amount then
      return to_timestamp((slot + n) * p_window_seconds / 60.0);
    end if;
  end loop;
  return null;
end $$;

-- The limits that a call has to fit into.
create or replace function drover.limits_of(p_namespace_id integer, p_provider text, p_model text, p_workflow text) returns integer[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select l.id from drover.rate_limit l
     where (l.namespace_id is null or l.namespace_id = p_namespace_id)
       and (l.provider is null or l.provider = p_provider)
       and (l.workflow is null or l.workflow = p_workflow)
       and drover.selects(l.model, p_model));
end $$;

-- A limit as people read it.
create or replace function drover.limit_text(p_limit drover.rate_limit) returns text
language sql stable
return format('limit %s (%s)', p_limit.name, case p_limit.metric
  when 'concurrent' then format('%s at once', drover.count_text(p_limit.allowance, 'call'))
  else format('%s %s', drover.count_text(p_limit.allowance, case p_limit.metric when 'tokens' then 'token' else 'request' end),
    case p_limit.window_seconds when 60 then 'a minute' when 3600 then 'an hour' when 86400 then 'a day'
      else format('in %s seconds', p_limit.window_seconds) end) end);

-- Makes a limit or changes it. What it counted is kept while it counts the same; otherwise it is read from the ledger,
-- in which are the calls that were reserved in it.
create or replace function drover.set_limit(
  p_name text, p_provider text, p_model text, p_namespace_id integer, p_workflow text, p_metric text, p_window_seconds integer,
  p_allowance bigint, p_actor text
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  before drover.rate_limit;
  counted record;
  newest bigint;
  found_id integer;
begin
  insert into drover.rate_limit (name, metric, window_seconds, allowance, actor)
  values (p_name, p_metric, p_window_seconds, p_allowance, p_actor)
  on conflict on constraint rate_limit_name_is_unique do nothing
  returning id into found_id;
  select * into before from drover.rate_limit l where l.name = p_name for update;
  newest := coalesce(drover.slot_at(p_window_seconds, clock_timestamp()), 0);
  update drover.rate_limit l
     set provider = p_provider, model = p_model, namespace_id = p_namespace_id, workflow = p_workflow, metric = p_metric,
         window_seconds = p_window_seconds, allowance = p_allowance, actor = p_actor, updated_at = now()
   where l.id = before.id;
  if (before.metric, before.window_seconds) is distinct from (p_metric, p_window_seconds) then
    select * into counted from drover.count_limit(before.id, p_metric, p_window_seconds, newest);
    update drover.rate_limit l set held = counted.held, slots = counted.slots, newest_slot = newest where l.id = before.id;
  end if;
  perform drover.admit(array[before.id], '{}');
  insert into drover.event (id, namespace_id, kind, actor, data)
  select drover.next_id(), coalesce(p_namespace_id, min(n.id)), 'limit.set', p_actor,
         json_build_object('name', p_name, 'metric', p_metric, 'windowSeconds', p_window_seconds, 'allowance', p_allowance)
    from drover.namespace n;
  return before.id;
end $$;

-- Removes a limit; who waited for it is looked at again. False where there is none.
create or replace function drover.delete_limit(p_name text, p_actor text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  gone drover.rate_limit;
begin
  delete from drover.rate_limit l where l.name = p_name returning * into gone;
  if not found then
    return false;
  end if;
  -- Who is locked is being looked at already, perhaps by one who waits for this very limit.
  update drover.task_waiting w set until_at = now(), limit_id = null
   where w.task_id = any (array(select v.task_id from drover.task_waiting v where v.limit_id = gone.id for update skip locked));
  insert into drover.event (id, namespace_id, kind, actor, data)
  select drover.next_id(), coalesce(gone.namespace_id, min(n.id)), 'limit.deleted', p_actor, json_build_object('name', p_name)
    from drover.namespace n;
  return true;
end $$;

-- What a limit should hold and have counted up to a slot, by the ledger.
create or replace function drover.count_limit(
  p_id integer, p_metric text, p_window_seconds integer, p_newest bigint, out held bigint, out slots bigint[]
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
           select sum(case when p_metric = 'tokens' then e.held_tokens when e.kind = 'reserve' then 1 else -1 end)
             from drover.ledger e where e.limit_ids @> array[p_id]), 0)::bigint,
         array(
           select coalesce((
             select sum(case when p_metric = 'tokens' then e.input_tokens + e.output_tokens else e.requests end)
               from drover.ledger e
              where e.limit_ids @> array[p_id] and e.kind in ('settle', 'release') and p_window_seconds is not null
                -- A margin for clocks that were set back between the making of the id and of the time.
                and e.id >= drover.id_base(to_timestamp((p_newest - 61) * p_window_seconds / 60.0) - interval '1 minute')
                and drover.slot_at(p_window_seconds, e.at) between p_newest - 60 and p_newest
                and drover.slot_at(p_window_seconds, e.at) % 61 = ring.place), 0)::bigint
             from generate_series(0, 60) as ring (place)
            order by ring.place);
$$;
