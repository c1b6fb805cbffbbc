-- Nothing new for a node; what runs there goes on, and what was only placed there is placed elsewhere (move.sql). A
-- further call changes the reason only. False: there is no such node.
create or replace function drover.cordon_node(p_holder_id integer, p_reason text, p_actor text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  node record;
begin
  update drover.holder h
     set cordoned_at = coalesce(h.cordoned_at, now()), cordon_reason = coalesce(nullif(p_reason, ''), h.cordon_reason)
   where h.id = p_holder_id and h.removed_at is null
  returning h.namespace_id, h.name, h.cordon_reason, h.cordoned_at = now() as is_new into node;
  if not found then
    return false;
  end if;
  if node.is_new then
    insert into drover.event (id, namespace_id, kind, actor, data)
    values (drover.next_id(), node.namespace_id, 'node.cordoned', p_actor,
      json_build_object('name', node.name, 'reason', node.cordon_reason));
  end if;
  return true;
end $$;

-- Ends a cordon, and a drain with it.
create or replace function drover.uncordon_node(p_holder_id integer, p_actor text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  node drover.holder;
begin
  select * into node from drover.holder h where h.id = p_holder_id and h.removed_at is null for no key update;
  if not found then
    return false;
  end if;
  if node.cordoned_at is null and node.drain_requested_at is null then
    return true;
  end if;
  update drover.holder h
     set cordoned_at = null, cordon_reason = null, drain_requested_at = null, drain_deadline_at = null,
         state = case when h.state = 'draining' and h.drain_requested_at is not null then 'ready' else h.state end
   where h.id = p_holder_id;
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), node.namespace_id, 'node.uncordoned', p_actor, json_build_object('name', node.name));
  perform pg_notify('drover_wake', 'holder:' || p_holder_id);
  return true;
end $$;

-- Begins a drain, or moves its deadline: nothing new, replicas move away, and what still runs at the deadline goes back
-- to its queue (node.sync tells the node so). It outlives the agent.
create or replace function drover.drain_node(p_holder_id integer, p_seconds integer, p_reason text, p_actor text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  node record;
begin
  update drover.holder h
     set drain_requested_at = coalesce(h.drain_requested_at, now()), drain_deadline_at = now() + p_seconds * interval '1 second',
         cordoned_at = coalesce(h.cordoned_at, now()),
         cordon_reason = coalesce(nullif(p_reason, ''), h.cordon_reason, 'It is being drained.'),
         state = case h.state when 'ready' then 'draining' else h.state end
   where h.id = p_holder_id and h.removed_at is null
  returning h.namespace_id, h.name, h.cordon_reason into node;
  if not found then
    return false;
  end if;
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), node.namespace_id, 'node.draining', p_actor,
    json_build_object('name', node.name, 'seconds', p_seconds, 'reason', node.cordon_reason));
  perform pg_notify('drover_wake', 'holder:' || p_holder_id);
  return true;
end $$;

-- What any replica does about nodes that are to be empty: those whose drain is over are told at once that their tasks
-- are to go back, and what removed nodes held is handed on when their lease is over, whatever its policy. How many tasks.
create or replace function drover.end_drains() returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  taken integer;
begin
  perform pg_notify('drover_wake', 'holder:' || h.id)
     from drover.holder h
    where h.drain_deadline_at <= now() and h.state = 'draining'
      and exists (select from drover.task_lease l where l.holder_id = h.id);
  select drover.take_back(array_agg(l.task_id), array_agg(l.fence), 'lease_expired', 'Its node was removed.') into taken
    from drover.task_lease l
    join drover.holder h on h.id = l.holder_id
   where h.removed_at is not null and not exists (select from drover.holder_lease e where e.holder_id = h.id);
  delete from drover.join_token t where t.expires_at < now() - interval '30 days';
  return coalesce(taken, 0);
end $$;
