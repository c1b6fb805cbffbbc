-- Forgets a node: its login, its GPUs, and all that it was told. Its row stays for the attempts that ran there; its
-- replicas are placed elsewhere (drover.move_replicas). `busy`: it lives and holds work, and nothing was done; null: there
-- is no such node. What a node that lives still runs is handed on when its lease has run out (drover.end_drains), for it
-- may be cut off.
create or replace function drover.remove_node(p_holder_id integer, p_force boolean, p_actor text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  node drover.holder;
begin
  select * into node from drover.holder h where h.id = p_holder_id for update;
  if not found then
    return null;
  end if;
  if node.removed_at is not null then
    return 'removed';
  end if;
  if not p_force and node.state <> 'lost'
     and exists (select from drover.holder_lease l where l.holder_id = p_holder_id and l.expires_at > now())
     and (exists (select from drover.task_lease l where l.holder_id = p_holder_id)
       or exists (select from drover.replica r where r.holder_id = p_holder_id)) then
    return 'busy';
  end if;
  perform drover.revoke_node_login(p_holder_id, p_actor);
  update drover.holder h
     set removed_at = now(), state = 'lost', lost_at = coalesce(h.lost_at, now()), epoch = h.epoch + 1, labels = '{}', taints = '{}',
         cordoned_at = null, cordon_reason = null, drain_requested_at = null, drain_deadline_at = null, images = '{}', models = '{}',
         revision = h.revision + 1
   where h.id = p_holder_id;
  delete from drover.gpu g where g.holder_id = p_holder_id;
  delete from drover.node_request q where q.holder_id = p_holder_id;
  insert into drover.event (id, namespace_id, kind, actor, data)
  values (drover.next_id(), node.namespace_id, 'node.removed', p_actor, json_build_object('name', node.name, 'isForced', p_force));
  perform drover.end_drains();
  return 'removed';
end $$;
