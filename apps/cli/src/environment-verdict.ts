import type { Environment, Service } from "@drover/proto/drover/environment";
import { environmentStateWord, replicaStateWord } from "./word.ts";

/**
 * going: it is on its way. ready: all is as it should be. partial: all that is needed is, and the rest will not be by
 * itself. failed: something that is needed is not, or will not be. paused: a roll-out stands still.
 */
export type Verdict = "going" | "ready" | "partial" | "failed" | "paused";

/** What there is to say to somebody who waits: for the required services, or for those that were asked for. */
export function judgeStart(environment: Environment, asked?: ReadonlySet<string>): Verdict {
  const { services, pausedReason } = environment;
  const isNeeded = ({ name, required }: Service) => (asked === undefined ? required : asked.has(name));
  const stuck = findStuck(services);
  if (failedServices(environment, asked).length > 0) return "failed";
  if (pausedReason !== "") return "paused";
  const open = services.filter((service) => !isSettled(service));
  if (open.some(isNeeded)) return "going";
  // All services may be well while a roll-out is between two of its replicas.
  if (open.length === 0) return environmentStateWord(environment.state) === "converging" ? "going" : "ready";
  if (asked !== undefined) return "ready";
  return open.every(({ name }) => stuck.has(name)) ? "partial" : "going";
}

/** Those of the services that were asked for, or of the required ones, that do not come up. */
export function failedServices({ services }: Environment, asked?: ReadonlySet<string>): Service[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const needed = services.filter(({ name, required }) => (asked === undefined ? required : asked.has(name)));
  const failed = new Set<Service>();
  const visit = (service: Service) => {
    if (isDown(service)) failed.add(service);
    if (isSettled(service) || failed.has(service)) return;
    for (const name of service.dependsOn) {
      const found = byName.get(name);
      if (found !== undefined) visit(found);
    }
  };
  needed.forEach(visit);
  return [...failed];
}

/** Services that are not well and do not become so by waiting: they, or what they depend on, are broken. */
export function stuckServices({ services }: Environment): Service[] {
  const stuck = findStuck(services);
  return services.filter(({ name }) => stuck.has(name));
}

/** Whether services are stopped, those that were asked for or all. */
export function isStopped({ services }: Environment, asked?: ReadonlySet<string>): boolean {
  return services
    .filter(({ name }) => asked === undefined || asked.has(name))
    .every(({ state }) => replicaStateWord(state) === "stopped");
}

/** As it should be, until somebody changes something. */
function isSettled({ state, running, replicas }: Service): boolean {
  const word = replicaStateWord(state);
  // What ended by itself, and is let, is not running and needs nothing.
  return word === "stopped" || (word === "running" && running >= replicas);
}

/** Nothing of it runs, since it failed. */
function isDown({ state, running }: Service): boolean {
  return replicaStateWord(state) === "failed" && running === 0;
}

function findStuck(services: readonly Service[]): ReadonlySet<string> {
  const stuck = new Set(services.filter(isBroken).map(({ name }) => name));
  // A circle cannot be applied, so that each round finds more or ends it.
  for (let before = -1; before !== stuck.size;) {
    before = stuck.size;
    for (const service of services) {
      const waits = !isSettled(service) && service.running === 0;
      if (waits && service.dependsOn.some((name) => stuck.has(name))) stuck.add(service.name);
    }
  }
  return stuck;
}

/** Failed, or on no node, with each of them having said why: what can change that is no matter of waiting. */
function isBroken({ state, instances }: Service): boolean {
  const word = replicaStateWord(state);
  return (
    ["failed", "unhealthy"].includes(word) ||
    (word === "pending" && instances.some(({ rejections }) => rejections.length > 0))
  );
}
