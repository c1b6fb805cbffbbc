import { DroverError } from "../error.ts";

/** What the order of starts depends on; names that are not there are left out of account. */
export interface Dependent {
  name: string;
  dependsOn: readonly string[];
}

/**
 * Names of services in levels: those of one may start together, as soon as all of the levels before are healthy. Stops
 * go the other way.
 */
export function startOrder(services: readonly Dependent[]): string[][] {
  const names = new Set(services.map(({ name }) => name));
  const waiting = new Map(
    services.map(({ name, dependsOn }) => [name, new Set(dependsOn.filter((one) => names.has(one)))]),
  );
  const levels: string[][] = [];
  while (waiting.size > 0) {
    const level = [...waiting].filter(([, needs]) => needs.size === 0).map(([name]) => name);
    if (level.length === 0) throw circular(services);
    for (const name of level) waiting.delete(name);
    for (const needs of waiting.values()) for (const name of level) needs.delete(name);
    levels.push(level);
  }
  return levels;
}

/** Services that wait for each other in a circle, each depending on the next and the last on the first. */
export function findCycle(services: readonly Dependent[]): string[] | undefined {
  const byName = new Map(services.map((service) => [service.name, service]));
  const done = new Set<string>();
  for (const { name } of services) {
    const cycle = walk(byName, done, name);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** The names asked for and those of everything that they depend on, in the order of the services. */
export function withDependencies(services: readonly Dependent[], names: Iterable<string>): string[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const wanted = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (wanted.has(name)) continue;
    wanted.add(name);
    open.push(...(byName.get(name)?.dependsOn ?? []));
  }
  return services.filter(({ name }) => wanted.has(name)).map(({ name }) => name);
}

/** Goes as deep as it can from one service; what has been left once leads to no circle. */
function walk(byName: ReadonlyMap<string, Dependent>, done: Set<string>, start: string): string[] | undefined {
  const path: { name: string; open: string[] }[] = [];
  const entered = new Set<string>();
  const enter = (name: string) => {
    entered.add(name);
    path.push({ name, open: [...(byName.get(name)?.dependsOn ?? [])] });
  };
  if (!done.has(start)) enter(start);
  for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
    const next = last.open.shift();
    if (next === undefined) {
      done.add(last.name);
      path.pop();
      continue;
    }
    if (done.has(next) || !byName.has(next)) continue;
    if (entered.has(next)) return path.slice(path.findIndex(({ name }) => name === next)).map(({ name }) => name);
    enter(next);
  }
  return undefined;
}

function circular(services: readonly Dependent[]): DroverError {
  const cycle = findCycle(services) ?? [];
  return new DroverError("invalid", `Expected services without a circle, got ${[...cycle, cycle[0]].join(" -> ")}.`);
}
