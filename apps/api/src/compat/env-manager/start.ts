import type { Wakeups } from "@drover/db/listen";
import { listServices } from "@drover/db/query/service";
import { createStartStory, type ServiceNow, type StartStory, type StartUpdate } from "@drover/domain/compat-service";
import { startOrder, withDependencies } from "@drover/domain/environment/dependency";
import { DroverError } from "@drover/domain/error";
import type { ServiceOverride } from "@drover/environment/override";
import { readStartOverrides } from "@drover/environment/start-overrides";
import type { Caller, Deps } from "../../operation/context.ts";
import { overrideServices } from "../../operation/override-services.ts";
import { startServices } from "../../operation/start-services.ts";
import { watchEnvironment } from "../../watch/environment.ts";
import { patiently } from "../orchestrator/patiently.ts";
import { type KnownEnvironment, requireService } from "./environment.ts";
import { serviceNow } from "./status.ts";

export interface StartOptions {
  deps: Deps;
  wakeups: Wakeups;
  environment: KnownEnvironment;
  caller: Caller;
  /** None: all. */
  names: readonly string[];
  /** All at once, as what they depend on allows; or one after the other. */
  isParallel: boolean;
  overrides: Readonly<Record<string, string>>;
  signal: AbortSignal;
  failedMs?: number;
}

/**
 * Starts services with what they depend on, and tells how it goes until all has been said; then refuses where a
 * required one did not come up. A client that leaves stops the telling, not the services that were begun.
 */
export async function* start(options: StartOptions): AsyncGenerator<StartUpdate> {
  const { deps, environment, caller, names, isParallel, signal, failedMs } = options;
  const { id, declaration } = await environment.ensure(caller);
  const asked = names.map((name) => requireService(declaration, name).name);
  const needed = withDependencies(
    declaration.services,
    asked.length === 0 ? declaration.services.map(({ name }) => name) : asked,
  );
  const order = startOrder(declaration.services)
    .flat()
    .filter((name) => needed.includes(name));
  await applyStartOverrides(options, id, needed);
  for (const serviceName of order) yield { serviceName, status: "starting", message: "Is to start.", progress: 0 };

  const story = createStartStory({ names: order, ...(failedMs !== undefined && { failedMs }) });
  const waves = isParallel ? [order] : order.map((name) => [name]);
  for (const wave of waves) {
    await startServices(deps, caller, environment.name, wave);
    yield* tell(options, story, id, wave);
    if (story.failures().length > 0) break;
  }
  signal.throwIfAborted();
  const failures = story.failures();
  if (failures.length === 0) return;
  for (const serviceName of order.filter((name) => !story.isTold([name]))) {
    const message = "Was not started, since a required service failed before it.";
    yield { serviceName, status: "stopped", message, progress: 100 };
  }
  const reasons = failures.map(({ name, message }) => `${name}: ${message}`).join(" ");
  throw new DroverError("conflict", `A required service failed. ${reasons}`);
}

/** What is said of some services until all of it has been said. */
async function* tell(
  { wakeups, environment, caller, signal }: StartOptions,
  story: StartStory,
  environmentId: number,
  names: readonly string[],
): AsyncGenerator<StartUpdate> {
  for await (const _ of watchEnvironment({ wakeups, environmentId, signal, restMs: 500 })) {
    const seen = await patiently(signal, () => environment.see(caller));
    const services = names.map((name): ServiceNow => {
      const service = seen?.services.find(({ view }) => view.name === name);
      return service === undefined ? gone(name) : serviceNow(service);
    });
    yield* story.look(services, performance.now());
    if (story.isTold(names)) return;
  }
}

function gone(name: string): ServiceNow {
  const message = "It is not declared any more.";
  return { name, isRequired: false, dependsOn: [], state: "stopped", message, progress: 0 };
}

/** Overrides hold until their service is stopped: what starts anew without any is as it is declared. */
async function applyStartOverrides(
  { deps, environment, caller, overrides }: StartOptions,
  environmentId: number,
  needed: readonly string[],
): Promise<void> {
  const reading = readStartOverrides(overrides, await environment.declaration(caller));
  if ("faults" in reading) {
    const text = reading.faults.map(({ field, message }) => `overrides["${field}"]: ${message}`).join(" ");
    const fields = reading.faults.map(({ field, message }) => ({ field: `overrides.${field}`, message }));
    throw new DroverError("invalid", text, { fields });
  }
  const given = new Set(reading.overrides.map(({ name }) => name));
  const known = await listServices(deps.db, [environmentId]);
  const ended = known.filter((service) => service.is_stopped && Object.keys(service.overrides).length > 0);
  const cleared = ended
    .filter(({ name }) => needed.includes(name) && !given.has(name))
    .map(({ name }): ServiceOverride => ({ name }));
  const changes = [...reading.overrides, ...cleared];
  if (changes.length > 0) await overrideServices(deps, caller, environment.name, changes);
}
