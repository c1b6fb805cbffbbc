-- What a node has: GPUs, images, model files. GPUs that it had and does not name any more are gone; what failed stays
-- cordoned until an operator says otherwise.
create or replace function node.inventory(p_holder_id integer, p_epoch bigint, p_gpus json, p_images text[], p_models text[]) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  space_id integer;
begin
  perform drover.authorize(p_holder_id);
  update drover.holder h set images = p_images, models = p_models
   where h.id = p_holder_id and h.epoch = p_epoch
  returning h.namespace_id into space_id;
  if not found then
    return false;
  end if;
  with found as (
    select u.* from json_to_recordset(p_gpus) as u (
      uuid text, kind text, vendor text, number integer, model text, "memoryMib" integer, driver text, profile text,
      "parentUuid" text, "slotCount" integer, "utilizationPercent" smallint, "isUsable" boolean, evidence text)
  ), before as (
    select g.uuid, g.state from drover.gpu g where g.holder_id = p_holder_id
  ), written as (
    insert into drover.gpu as g (holder_id, uuid, kind, vendor, number, model, memory_mib, driver, profile, parent_uuid, slot_count,
      state, evidence, utilization_percent)
    select p_holder_id, f.uuid, f.kind, f.vendor, f.number, f.model, f."memoryMib", coalesce(f.driver, ''), f.profile, f."parentUuid",
           coalesce(f."slotCount", 1), case when f."isUsable" then 'ready' else 'cordoned' end, f.evidence, f."utilizationPercent"
      from found f
    on conflict on constraint gpu_uuid_is_unique do update
      set kind = excluded.kind, number = excluded.number, model = excluded.model, memory_mib = excluded.memory_mib,
          driver = excluded.driver, profile = excluded.profile, parent_uuid = excluded.parent_uuid, slot_count = excluded.slot_count,
          state = case when g.cordoned_at is not null then 'cordoned' else excluded.state end,
          evidence = case when g.cordoned_at is not null then g.evidence else excluded.evidence end,
          utilization_percent = excluded.utilization_percent, seen_at = now()
    returning g.uuid, g.state, g.evidence
  ), missing as (
    update drover.gpu g set state = 'gone', evidence = coalesce(g.evidence, 'The node does not find it any more.')
     where g.holder_id = p_holder_id and g.state <> 'gone' and not exists (select from found f where f.uuid = g.uuid)
    returning g.uuid, g.state, g.evidence
  )
  insert into drover.event (id, namespace_id, kind, actor, data)
  select drover.next_id(), space_id, 'gpu.' || w.state, 'holder:' || p_holder_id,
         json_build_object('holder', p_holder_id, 'uuid', w.uuid, 'evidence', w.evidence)
    from (select * from written union all select * from missing) w
    left join before b on b.uuid = w.uuid
   where b.state is distinct from w.state;
  if found then
    perform pg_notify('drover_wake', 'place');
  end if;
  return true;
end $$;

-- A GPU failed under a task or replica: nothing more is placed on it until an operator says otherwise.
create or replace function node.cordon_gpu(p_holder_id integer, p_epoch bigint, p_uuid text, p_evidence text) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  space_id integer;
begin
  perform drover.authorize(p_holder_id);
  update drover.gpu g set state = case g.state when 'gone' then g.state else 'cordoned' end, cordoned_at = now(), evidence = left(p_evidence, 2000)
    from drover.holder h
   where g.holder_id = p_holder_id and g.uuid = p_uuid and g.cordoned_at is null and h.id = g.holder_id and h.epoch = p_epoch
  returning h.namespace_id into space_id;
  if not found then
    return false;
  end if;
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), space_id, 'gpu.cordoned', 'holder:' || p_holder_id,
    json_build_object('holder', p_holder_id, 'uuid', p_uuid, 'evidence', left(p_evidence, 2000)));
  -- What runs on it is to be moved.
  perform pg_notify('drover_wake', 'place');
  return true;
end $$;

-- A new password for the caller's own login. An agent asks for it before it begins its life.
drop function if exists node.rotate_login(integer, bigint, text);
create or replace function node.rotate_login(p_password text) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  node record;
begin
  select h.id, h.name, h.namespace_id into node from drover.holder h where h.login = session_user;
  if not found or length(p_password) < 24 then
    return false;
  end if;
  execute format('alter role %I password %L', session_user, p_password);
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), node.namespace_id, 'node.login_rotated', 'holder:' || node.id, json_build_object('name', node.name));
  return true;
end $$;
