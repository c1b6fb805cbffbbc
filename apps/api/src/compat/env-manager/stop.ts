import { deadlineAfter } from "@drover/daemon/deadline";
import type { Wakeups } from "@drover/db/listen";
import { listServices } from "@drover/db/query/service";
import { createStartStory } from "@drover/domain/compat-service";
import type { SeenState } from "@drover/domain/environment/status";
import { findService } from "@drover/environment/built-in";
import type { ServiceOverride } from "@drover/environment/override";
import type { Caller, Deps } from "../../operation/context.ts";
import { overrideServices } from "../../operation/override-services.ts";
import { restartServices } from "../../operation/restart-services.ts";
import { stopServices } from "../../operation/stop-services.ts";
import type { SeenEnvironment } from "../../operation/view-environment.ts";
import { watchEnvironment } from "../../watch/environment.ts";
import type { KnownEnvironment } from "./environment.ts";
import { serviceNow } from "./status.ts";

export interface StopOptions {
  deps: Deps;
  wakeups: Wakeups;
  environment: KnownEnvironment;
  caller: Caller;
  /** From SIGTERM to SIGKILL, a day at most; 0 and less: as the services declare. */
  timeoutSeconds: number;
  signal: AbortSignal;
}

export interface Stopped {
  success: boolean;
  serviceResults: Record<string, string>;
}

/** Stops services, none named: all, and waits until their containers have ended; what became of each, by its name. */
export async function stop({ names, ...options }: StopOptions & { names: readonly string[] }): Promise<Stopped> {
  const { deps, environment, caller } = options;
  const declaration = await environment.declaration(caller);
  const asked = new Map(names.map((name) => [name, findService(declaration, name.trim())?.name]));
  const found = names.length === 0 ? declaration.services.map(({ name }) => name) : [...asked.values()];
  const services = [...new Set(found.filter((name) => name !== undefined))];
  const states = services.length === 0 ? new Map<string, SeenState>() : await end(deps, options, services);
  const textOf = (service: string | undefined) => (service === undefined ? "not found" : stopText(states.get(service)));
  const isAll = names.length === 0 && services.every((name) => stopText(states.get(name)) === "stopped");
  const serviceResults = isAll
    ? { all: "stopped" }
    : Object.fromEntries(
        names.length === 0
          ? services.map((name) => [name, textOf(name)])
          : [...asked].map(([name, one]) => [name, textOf(one)]),
      );
  return { success: Object.values(serviceResults).every((text) => text === "stopped"), serviceResults };
}

/** Replaces the containers of a service by new ones, or starts it where it is stopped, and waits how that goes. */
export async function restart({
  name,
  ...options
}: StopOptions & { name: string; failedMs?: number }): Promise<{ success: boolean; message: string }> {
  const { deps, wakeups, environment, caller, signal } = options;
  const service = findService(await environment.declaration(caller), name.trim())?.name;
  if (service === undefined) return { success: false, message: `service ${name} not found` };
  const { id } = await environment.ensure(caller);
  await setGrace(options, id, [service]);
  await restartServices(deps, caller, environment.name, [service]);
  const story = createStartStory({
    names: [service],
    ...(options.failedMs !== undefined && { failedMs: options.failedMs }),
  });
  for await (const _ of watchEnvironment({ wakeups, environmentId: id, signal, restMs: 500 })) {
    const seen = await environment.see(caller);
    const now = seen?.services.find(({ view }) => view.name === service);
    if (now === undefined) return { success: false, message: `service ${name} not found` };
    story.look([serviceNow(now)], performance.now());
    if (!story.isTold()) continue;
    const { state, message } = now.view;
    if (state === "running") return { success: true, message: `service ${name} restarted` };
    return { success: false, message: `service ${name} did not come up: ${message}` };
  }
  throw signal.reason;
}

const marginMs = 5_000;

async function end(deps: Deps, options: StopOptions, names: readonly string[]): Promise<Map<string, SeenState>> {
  const { wakeups, environment, caller, signal } = options;
  const timeoutSeconds = graceOf(options);
  const row = await environment.find(caller);
  if (row === undefined) return new Map(names.map((name) => [name, "stopped"]));
  await setGrace(options, row.id, names);
  await stopServices(deps, caller, environment.name, names);
  const graces = row.declaration.services.filter(({ name }) => names.includes(name));
  // What depends on others stops before them, so the times add up.
  const graceMs = graces.reduce((sum, one) => sum + (timeoutSeconds || one.stopGraceSeconds), 0) * 1000;
  const deadline = deadlineAfter(Math.min(600_000, graceMs + marginMs));
  const until = AbortSignal.any([signal, deadline]);
  let states = new Map<string, SeenState>();
  for await (const _ of watchEnvironment({ wakeups, environmentId: row.id, signal: until, restMs: 500 })) {
    states = statesOf(await environment.see(caller), names);
    // A node that does not answer will not say that they have ended, however long one waits.
    if ([...states.values()].every((state) => state === "stopped" || state === "unknown")) break;
  }
  signal.throwIfAborted();
  return states;
}

function statesOf(seen: SeenEnvironment | undefined, names: readonly string[]): Map<string, SeenState> {
  return new Map(
    names.map((name) => [name, seen?.services.find(({ view }) => view.name === name)?.view.state ?? "stopped"]),
  );
}

function stopText(state: SeenState | undefined): string {
  if (state === "stopped") return "stopped";
  return state === "unknown" ? "unknown: its node does not answer" : "still stopping";
}

/** The grace is part of what a service is kept by, and no reason for a new container. */
async function setGrace(options: StopOptions, environmentId: number, names: readonly string[]): Promise<void> {
  const { deps, environment, caller } = options;
  const timeoutSeconds = graceOf(options);
  if (timeoutSeconds === 0) return;
  const changes = (await listServices(deps.db, [environmentId]))
    .filter(({ name, is_stopped: isStopped }) => names.includes(name) && !isStopped)
    .map(({ name, overrides }): ServiceOverride => ({ ...overrides, name, stopGraceSeconds: timeoutSeconds }));
  if (changes.length > 0) await overrideServices(deps, caller, environment.name, changes);
}

function graceOf({ timeoutSeconds }: StopOptions): number {
  return Math.min(86_400, Math.max(0, timeoutSeconds));
}
