import type { Json } from "@drover/domain/json";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** What operators say of a service apart from its declaration. */
export interface ServiceRow {
  id: number;
  environment_id: number;
  name: string;
  is_stopped: boolean;
  round: number;
  overrides: Record<string, Json>;
  settled_generation: number;
}

/** Services of environments; those that are not declared any more are among them. */
export function listServices(db: Executor, environmentIds: readonly number[]): Promise<ServiceRow[]> {
  return db.run(sql`
    select s.id, s.environment_id, s.name, s.is_stopped, s.round, s.overrides, s.settled_generation
      from drover.service s
     where s.environment_id = any (${sql.param(environmentIds)}::integer[])
     order by s.id`);
}

/** Makes the services that are not there yet. */
export async function ensureServices(tx: Executor, environmentId: number, names: readonly string[]): Promise<void> {
  await tx.run(sql`
    insert into drover.service (environment_id, name)
    select ${environmentId}, name from unnest(${sql.param(names)}::text[]) as u (name)
    on conflict on constraint service_name_is_unique do nothing`);
}

/** Starts or stops services; those that start anew, or are to be made anew, begin another round. */
export async function steerServices(
  tx: Executor,
  steered: { ids: readonly number[]; isStopped: boolean; hasNewRound: boolean },
): Promise<void> {
  await tx.run(sql`
    update drover.service
       set is_stopped = ${steered.isStopped}, round = round + case when ${steered.hasNewRound}::boolean then 1 else 0 end
     where id = any (${sql.param(steered.ids)}::integer[])`);
}

/** Sets what is changed about a service without a new generation. */
export async function setOverrides(tx: Executor, serviceId: number, overrides: object): Promise<void> {
  await tx.run(sql`
    update drover.service set overrides = ${JSON.stringify(overrides)}::json where id = ${serviceId}`);
}

/**
 * Services all of whose replicas run under a generation, however short a time: should what comes next fail, it is better
 * than nothing to go back to. None while its roll-out stands still.
 */
export async function listRunning(
  db: Executor,
  environment: { id: number; generation: number },
): Promise<{ id: number }[]> {
  return db.run(sql`
    select s.id
      from drover.service s
      join drover.environment e on e.id = s.environment_id and e.paused_reason is null
      join drover.replica r on r.service_id = s.id and r.wanted <> 'gone' and not r.is_leaving
      left join drover.replica_status t on t.replica_id = r.id and t.holder_id = r.holder_id
     where s.environment_id = ${environment.id} and not s.is_stopped
     group by s.id
    having bool_and(r.generation = ${environment.generation} and r.round = s.round and t.state = 'running'
             and t.spec_hash = r.spec_hash and t.round = r.round) is true`);
}

/** Notes that services are good under a generation. */
export async function settleServices(tx: Executor, ids: readonly number[], generation: number): Promise<void> {
  await tx.run(sql`
    update drover.service set settled_generation = ${generation}
     where id = any (${sql.param(ids)}::integer[]) and settled_generation <> ${generation}`);
}
