import type { Declaration } from "@drover/domain/environment/declaration";
import type { Json } from "@drover/domain/json";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** An environment with its newest generation. */
export interface EnvironmentRow {
  id: number;
  namespace_id: number;
  namespace: string;
  name: string;
  generation: number;
  source: string;
  declaration: Declaration;
  /** The generation that the newest one went back to. */
  copy_of: number | null;
  paused_reason: string | null;
  is_rolling: boolean;
  deletion_requested_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

const environments = sql`
  select e.id, e.namespace_id, n.name as namespace, e.name, e.generation, g.source, g.declaration, g.copy_of, e.paused_reason,
         e.is_rolling, e.deletion_requested_at, e.created_at, e.updated_at
    from drover.environment e
    join drover.namespace n on n.id = e.namespace_id
    join drover.environment_generation g on g.environment_id = e.id and g.generation = e.generation`;

/** An environment by its name. */
export async function findEnvironment(
  db: Executor,
  namespaceId: number,
  name: string,
): Promise<EnvironmentRow | undefined> {
  const [row] = await db.run<EnvironmentRow>(sql`${environments}
     where e.namespace_id = ${namespaceId} and e.name = ${name}`);
  return row;
}

/** All environments of a namespace, by name. */
export function listEnvironments(db: Executor, namespaceId: number): Promise<EnvironmentRow[]> {
  return db.run(sql`${environments} where e.namespace_id = ${namespaceId} order by e.name`);
}

/**
 * Makes the environment where there is none, and locks it until the end of the transaction: whoever changes what its
 * replicas should be holds this lock. Its generation is 0 where it is new.
 */
export async function claimEnvironment(tx: Executor, namespaceId: number, name: string): Promise<number> {
  const [row] = await tx.run<{ id: number }>(sql`
    insert into drover.environment as e (namespace_id, name) values (${namespaceId}, ${name})
    on conflict on constraint environment_name_is_unique do update set updated_at = e.updated_at
    returning id`);
  if (row === undefined) throw new Error(`environment ${name} vanished while it was locked`);
  return row.id;
}

/** The environment, locked until the end of the transaction; undefined where it is gone, or has no generation yet. */
export async function lockEnvironment(tx: Executor, environmentId: number): Promise<EnvironmentRow | undefined> {
  // The lock first: a statement that waits for it would show the generation as it was before.
  await tx.run(sql`select from drover.environment e where e.id = ${environmentId} for no key update`);
  const [row] = await tx.run<EnvironmentRow>(sql`${environments} where e.id = ${environmentId}`);
  return row;
}

export interface NewGeneration {
  environmentId: number;
  generation: number;
  source: string;
  declaration: Declaration;
  copyOf?: number | undefined;
  actor: string;
}

/** Writes a generation and makes it the newest; the environment's lock is held. */
export async function insertGeneration(tx: Executor, made: NewGeneration): Promise<void> {
  const { environmentId, generation, source, declaration, copyOf, actor } = made;
  await tx.run(sql`
    insert into drover.environment_generation (environment_id, generation, source, declaration, copy_of, actor)
    values (${environmentId}, ${generation}, ${source}, ${JSON.stringify(declaration)}::json, ${copyOf ?? null}, ${actor})`);
  await tx.run(sql`
    update drover.environment
       set generation = ${generation}, updated_at = now(), is_rolling = true, paused_reason = null, deletion_requested_at = null
     where id = ${environmentId}`);
}

export interface GenerationRow {
  generation: number;
  copy_of: number | null;
  source: string;
  declaration: Declaration;
  actor: string;
  created_at: Date;
}

/** The generations of an environment, newest first. */
export function listGenerations(db: Executor, environmentId: number): Promise<GenerationRow[]> {
  return db.run(sql`
    select g.generation, g.copy_of, g.source, g.declaration, g.actor, g.created_at
      from drover.environment_generation g
     where g.environment_id = ${environmentId}
     order by g.generation desc`);
}

/** A generation by its number. */
export async function findGeneration(
  db: Executor,
  environmentId: number,
  generation: number,
): Promise<GenerationRow | undefined> {
  const [row] = await db.run<GenerationRow>(sql`
    select g.generation, g.copy_of, g.source, g.declaration, g.actor, g.created_at
      from drover.environment_generation g
     where g.environment_id = ${environmentId} and g.generation = ${generation}`);
  return row;
}

/** Asks for the end of an environment; its lock is held. */
export async function markForDeletion(tx: Executor, environmentId: number): Promise<void> {
  await tx.run(sql`
    update drover.environment
       set deletion_requested_at = coalesce(deletion_requested_at, now()), is_rolling = true, paused_reason = null, updated_at = now()
     where id = ${environmentId}`);
}

/** Has the loop look after an environment whose replicas should be other than they are; a pause is over. */
export async function startRolling(tx: Executor, environmentId: number): Promise<void> {
  await tx.run(sql`
    update drover.environment set is_rolling = true, paused_reason = null, updated_at = now() where id = ${environmentId}`);
}

/** Notes how far a roll-out is. */
export async function noteRollout(
  tx: Executor,
  environmentId: number,
  rollout: { isRolling: boolean; pausedReason: string | null },
): Promise<void> {
  await tx.run(sql`
    update drover.environment set is_rolling = ${rollout.isRolling}, paused_reason = ${rollout.pausedReason}
     where id = ${environmentId}
       and (is_rolling, paused_reason) is distinct from (${rollout.isRolling}::boolean, ${rollout.pausedReason}::text)`);
}

/** Environments whose replicas are not all as they should be. */
export async function listRolling(db: Executor): Promise<number[]> {
  const rows = await db.run<{ id: number }>(
    sql`select e.id from drover.environment e where e.is_rolling order by e.id`,
  );
  return rows.map(({ id }) => id);
}

/** Forgets an environment that is to go, once no replica of it is left; false as long as one is. */
export async function forgetEnvironment(tx: Executor, environmentId: number): Promise<boolean> {
  const rows = await tx.run(sql`
    delete from drover.environment e
     where e.id = ${environmentId} and e.deletion_requested_at is not null
       and not exists (select from drover.replica r where r.environment_id = e.id)
    returning e.id`);
  return rows.length > 0;
}

/** Tells what somebody did to an environment, or what became of it. */
export async function tellEnvironment(
  tx: Executor,
  about: { namespaceId: number; kind: string; actor: string; data: Record<string, Json> },
): Promise<void> {
  await tx.run(sql`
    insert into drover.event (id, namespace_id, kind, actor, data)
    values (drover.next_id(), ${about.namespaceId}, ${about.kind}, ${about.actor}, ${JSON.stringify(about.data)}::json)`);
}
