import type { Executor } from "@drover/db/client";
import {
  type EnvironmentRow,
  findGeneration,
  forgetEnvironment,
  lockEnvironment,
  noteRollout,
  tellEnvironment,
} from "@drover/db/query/environment";
import {
  fitReplicas,
  listForRollout,
  listSpecs,
  refreshReplicas,
  type ReplicaChange,
  type RolloutReplicaRow,
  steerReplicas,
  touchHolders,
  updateReplicas,
  type WantedService,
} from "@drover/db/query/replica";
import { listServices, type ServiceRow, settleServices } from "@drover/db/query/service";
import { decideRollout, type Rollout, type RolloutService } from "@drover/domain/environment/rollout";
import { placementText } from "@drover/domain/environment/spec";
import { viewReplica } from "@drover/domain/environment/status";
import { saveGeneration } from "./save-generation.ts";
import { wantedServices } from "./wanted-services.ts";

/** What a turn of the roll-out came to. */
export interface Followed {
  /** Nodes were told something, or replicas wait for one. */
  hasChanged: boolean;
  /** Replicas wait for a node that were not there before. */
  hasUnplaced: boolean;
  /** When to look again, if nothing is heard before. */
  nextSeconds?: number;
}

/**
 * Has the replicas of an environment follow what is declared, as far as they may go now. Called in the transaction of
 * whoever changes what should be, and by the loop whenever something is heard of a replica; doing it again changes
 * nothing. The environment stays locked until the end of the transaction.
 */
export async function followEnvironment(tx: Executor, environmentId: number, actor: string): Promise<Followed> {
  const row = await lockEnvironment(tx, environmentId);
  if (row === undefined) return { hasChanged: false, hasUnplaced: false };
  if (row.deletion_requested_at !== null) return end(tx, row);
  const services = await listServices(tx, [row.id]);
  const wanted = wantedServices(row, services);
  const environment = { id: row.id, namespaceId: row.namespace_id };
  const changes: ReplicaChange[] = [await fitReplicas(tx, environment, wanted)];
  changes.push(await steerReplicas(tx, row.id, wanted));

  const turn = await lookAt(tx, row, services, wanted);
  const { rollout } = turn;
  const told = await refreshReplicas(tx, wanted, turn.stays);
  if (rollout.update.length > 0) {
    const moved = rollout.update.filter((id) => turn.moves.has(id));
    const updated = rollout.update.filter((id) => !turn.moves.has(id));
    changes.push(await updateReplicas(tx, wanted, { updated, moved }));
    if (moved.length > 0) changes.push(await fitReplicas(tx, environment, wanted));
  }
  await note(tx, row, services, rollout);
  const holderIds = [...told, ...changes.flatMap((change) => change.holderIds)];
  await touchHolders(tx, holderIds);

  const back = rollout.rollbackTo === undefined ? undefined : await goBack(tx, row, rollout, actor);
  const hasUnplaced = changes.some(({ unplaced }) => unplaced > 0);
  return {
    hasChanged: holderIds.length > 0 || hasUnplaced || back?.hasChanged === true,
    hasUnplaced: hasUnplaced || back?.hasUnplaced === true,
    ...(rollout.nextSeconds !== undefined && { nextSeconds: rollout.nextSeconds }),
  };
}

interface Turn {
  rollout: Rollout;
  /** Replicas that cannot be updated where they are. */
  moves: ReadonlySet<string>;
  /** Replicas that keep their place. */
  stays: string[];
}

async function lookAt(
  tx: Executor,
  row: EnvironmentRow,
  services: readonly ServiceRow[],
  wanted: readonly WantedService[],
): Promise<Turn> {
  const replicas = await listForRollout(tx, row.id);
  const byId = new Map(wanted.map((one) => [one.serviceId, one]));
  const isOlder = replicas.some((one) => one.generation !== row.generation);
  const places = new Map(
    (isOlder ? await listSpecs(tx, row.id) : []).map((one) => [specKey(one), placementText(one.spec)]),
  );
  const misplaced = (replica: RolloutReplicaRow) => {
    const before = places.get(specKey(replica));
    const target = byId.get(replica.service_id);
    return (
      replica.node !== null && before !== undefined && target !== undefined && before !== placementText(target.spec)
    );
  };
  const moves = new Set(replicas.filter(misplaced).map(({ id }) => id));
  const byService = Map.groupBy(replicas, (replica) => replica.service_id);
  const facts = services.flatMap((service): RolloutService[] => {
    const target = byId.get(service.id);
    if (target === undefined) return [];
    const { dependsOn, update, name } = target.spec.service;
    return [
      {
        name,
        dependsOn,
        update,
        isStopped: service.is_stopped,
        isSettled: service.settled_generation === row.generation,
        settledGeneration: service.settled_generation,
        replicas: (byService.get(service.id) ?? []).map((replica) => ({
          id: replica.id,
          isCurrent: !moves.has(replica.id) && replica.spec_hash === target.specHash && replica.round === target.round,
          ...seen(replica),
          runningSeconds: replica.seconds,
        })),
      },
    ];
  });
  const rollout = decideRollout(facts, row.paused_reason !== null, { isReturn: row.copy_of !== null });
  return { rollout, moves, stays: replicas.filter(({ id }) => !moves.has(id)).map(({ id }) => id) };
}

function seen(replica: RolloutReplicaRow) {
  const { state, message, seen_hash: specHash, seen_round: round, node, is_lost: isLost } = replica;
  return viewReplica({
    number: replica.number,
    wanted: replica.wanted,
    specHash: replica.spec_hash,
    round: replica.round,
    node: node === null ? undefined : { name: node, isLost },
    status: state === null ? undefined : { state, message: message ?? "", specHash, round },
  });
}

async function note(
  tx: Executor,
  row: EnvironmentRow,
  services: readonly ServiceRow[],
  rollout: Rollout,
): Promise<void> {
  const settled = services.filter(({ name }) => rollout.settled.includes(name));
  const isNews = settled.some((service) => service.settled_generation !== row.generation);
  if (isNews)
    await settleServices(
      tx,
      settled.map(({ id }) => id),
      row.generation,
    );
  const pausedReason = rollout.failure?.reason ?? null;
  await noteRollout(tx, row.id, { isRolling: !rollout.isDone, pausedReason });
  const about = { namespaceId: row.namespace_id, actor: "roll-out" };
  const data = { environment: row.name, generation: row.generation };
  if (rollout.isDone && isNews) await tellEnvironment(tx, { ...about, kind: "environment.rolled_out", data });
  if (pausedReason !== null && row.paused_reason === null)
    await tellEnvironment(tx, { ...about, kind: "environment.paused", data: { ...data, reason: pausedReason } });
}

/** Makes the generation that was good the newest one. */
async function goBack(
  tx: Executor,
  row: EnvironmentRow,
  { rollbackTo = 0 }: Rollout,
  actor: string,
): Promise<Followed | undefined> {
  const good = await findGeneration(tx, row.id, rollbackTo);
  if (good === undefined) return undefined;
  const { source, declaration, generation } = good;
  const environment = { id: row.id, namespaceId: row.namespace_id, newest: row };
  const { created } = await saveGeneration(tx, environment, { source, declaration, copyOf: generation, actor });
  return created ? followEnvironment(tx, row.id, actor) : undefined;
}

async function end(tx: Executor, row: EnvironmentRow): Promise<Followed> {
  const { holderIds } = await fitReplicas(tx, { id: row.id, namespaceId: row.namespace_id }, []);
  await touchHolders(tx, holderIds);
  const isForgotten = await forgetEnvironment(tx, row.id);
  if (isForgotten) {
    const about = { namespaceId: row.namespace_id, actor: "roll-out", data: { environment: row.name } };
    await tellEnvironment(tx, { ...about, kind: "environment.deleted" });
  }
  return { hasChanged: isForgotten || holderIds.length > 0, hasUnplaced: false };
}

function specKey(one: { service_id: number; generation: number; spec_hash: string }): string {
  return `${one.service_id} ${one.generation} ${one.spec_hash}`;
}
