import type { UpdatePolicy } from "./declaration.ts";
import { startOrder } from "./dependency.ts";
import type { SeenState } from "./status.ts";

export interface RolloutReplica {
  id: string;
  number: number;
  /** What is wanted of it is the newest: spec, place, round. */
  isCurrent: boolean;
  state: SeenState;
  message: string;
  /** How long it has been running, by the database's clock. */
  runningSeconds: number;
}

export interface RolloutService {
  name: string;
  dependsOn: readonly string[];
  update: UpdatePolicy;
  isStopped: boolean;
  /** It has been healthy under the newest generation: what fails now does not fail because of it. */
  isSettled: boolean;
  /** Of the generation under which it was healthy last; 0: of none. */
  settledGeneration: number;
  /** Those that are wanted, without those on their way out. */
  replicas: readonly RolloutReplica[];
}

/** What may be done now; whoever does it comes back when something changes, or after `nextSeconds`. */
export interface Rollout {
  /** Replicas that get the newest spec and round now. */
  update: string[];
  /** Services all of whose replicas are as they should be, and have been for long enough. */
  settled: string[];
  /** Why it stands still. */
  failure?: { service: string; reason: string };
  /** The generation to go back to, as the policy of the service that failed says. */
  rollbackTo?: number;
  isDone: boolean;
  nextSeconds?: number;
}

/**
 * Decides how far a roll-out may go. A replica that does not run serves nobody, so it is updated at once. One that runs
 * is updated when what its service depends on has been, while no more than `maxUnavailable` of its service are away: not
 * running, or updated and not yet healthy for long enough. When an updated one fails, no running one is touched any more,
 * in no service, until those that were updated are healthy. One on a node that does not answer may well run.
 * `isReturn`: what is rolled out was gone back to itself, and is not left again: the two would take turns for ever.
 */
export function decideRollout(
  services: readonly RolloutService[],
  wasPaused: boolean,
  { isReturn = false }: { isReturn?: boolean } = {},
): Rollout {
  const failing = services.find(hasFailed);
  const isHeld = failing !== undefined || (wasPaused && services.some((one) => one.replicas.some(isUnderWay(one))));
  const byName = new Map(services.map((service) => [service.name, service]));
  const done = new Set<string>();
  const rollout: Rollout = { update: [], settled: [], isDone: true };
  const waits: number[] = [];
  for (const name of startOrder(services).flat()) {
    const service = byName.get(name);
    if (service === undefined) continue;
    const next = nextReplicas(service, !isHeld && service.dependsOn.every((one) => done.has(one) || !byName.has(one)));
    const replicas = afterUpdate(service, new Set(next));
    const isUpdated = replicas.every(({ isCurrent }) => isCurrent);
    const isHealthy = isUpdated && !replicas.some(isUnderWay(service));
    rollout.update.push(...next);
    if (isHealthy) rollout.settled.push(name);
    // What fails after it was good keeps nobody else from being updated.
    if (isHealthy || (isUpdated && service.isSettled)) done.add(name);
    waits.push(...replicas.flatMap((replica) => waitOf(service, replica)));
  }
  rollout.isDone = done.size === services.length;
  if (waits.length > 0) rollout.nextSeconds = Math.min(...waits);
  if (failing !== undefined && mayGoBack(failing) && !isReturn) rollout.rollbackTo = failing.settledGeneration;
  if (isHeld && !rollout.isDone) {
    const { service, reason } = describeFailure(services, failing);
    rollout.failure = { service, reason: reason + stayReason(failing, isReturn) };
  }
  return rollout;
}

/** An updated replica failed, and there is something to protect: others that run as before, or a generation that was good. */
function hasFailed(service: RolloutService): boolean {
  if (service.isStopped) return false;
  const isProtected =
    (!service.isSettled && service.settledGeneration > 0) ||
    service.replicas.some(({ isCurrent, state }) => !isCurrent && state === "running");
  return isProtected && service.replicas.some(isFailing);
}

function isFailing({ isCurrent, state }: RolloutReplica): boolean {
  return isCurrent && (state === "failed" || state === "unhealthy");
}

function mayGoBack({ update, isSettled, settledGeneration }: RolloutService): boolean {
  return update.onFailure === "rollback" && !isSettled && settledGeneration > 0;
}

/** Updated, and not yet what it should be for long enough. */
function isUnderWay({ isStopped, update }: RolloutService): (replica: RolloutReplica) => boolean {
  return ({ isCurrent, state, runningSeconds }) =>
    isCurrent && !isStopped && state !== "stopped" && !(state === "running" && runningSeconds >= update.healthySeconds);
}

function nextReplicas(service: RolloutService, mayDisturb: boolean): string[] {
  const outdated = service.replicas.filter(({ isCurrent }) => !isCurrent);
  if (service.isStopped) return outdated.map(({ id }) => id);
  const mayRun = ({ state }: RolloutReplica) => state === "running" || state === "unknown";
  const idle = outdated.filter((replica) => !mayRun(replica));
  const away = service.replicas.filter((replica) => replica.state !== "running" || isUnderWay(service)(replica));
  const room = mayDisturb ? Math.max(0, service.update.maxUnavailable - away.length) : 0;
  const running = outdated.filter(({ state }) => state === "running").toSorted((a, b) => a.number - b.number);
  return [...idle, ...running.slice(0, room)].map(({ id }) => id);
}

/** What the replicas look like once these have been updated. */
function afterUpdate({ replicas, isStopped }: RolloutService, updated: ReadonlySet<string>): RolloutReplica[] {
  return replicas.map((replica) => {
    if (!updated.has(replica.id)) return replica;
    return isStopped
      ? { ...replica, isCurrent: true }
      : { ...replica, isCurrent: true, state: "starting", runningSeconds: 0 };
  });
}

function waitOf(service: RolloutService, { isCurrent, state, runningSeconds }: RolloutReplica): number[] {
  const left = service.update.healthySeconds - runningSeconds;
  return isCurrent && !service.isStopped && state === "running" && left > 0 ? [left] : [];
}

/** Why it does not go back, where the policy says that it should. */
function stayReason(failing: RolloutService | undefined, isReturn: boolean): string {
  if (failing === undefined || failing.update.onFailure !== "rollback" || failing.isSettled) return "";
  if (isReturn) return " It stays with this generation, which was gone back to.";
  return failing.settledGeneration > 0
    ? ""
    : " There is no generation to go back to: the service ran under none before.";
}

function describeFailure(
  services: readonly RolloutService[],
  failing: RolloutService | undefined,
): { service: string; reason: string } {
  const service = failing ?? services.find((one) => one.replicas.some(isUnderWay(one)));
  const replica = service?.replicas.find(isFailing) ?? service?.replicas.find((one) => one.isCurrent);
  const name = service?.name ?? "";
  const said = replica?.message ? `: ${replica.message.replace(/[^.!?]$/, "$&.")}` : ".";
  const became = replica === undefined || !isFailing(replica) ? "has yet to be healthy again" : `is ${replica.state}`;
  return { service: name, reason: `replica ${replica?.number ?? 0} of ${name} ${became}${said}` };
}
