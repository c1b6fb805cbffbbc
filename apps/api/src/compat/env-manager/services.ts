import type { Wakeups } from "@drover/db/listen";
import type { Declaration } from "@drover/domain/environment/declaration";
import { findService } from "@drover/environment/built-in";
import type { Caller, Deps } from "../../operation/context.ts";
import { measureUsage } from "../../rpc/service.ts";
import { findReplicas } from "../../rpc/service-replica.ts";
import type { KnownEnvironment } from "./environment.ts";
import { serviceStatus } from "./status.ts";

export interface StatusReaderOptions {
  deps: Deps;
  wakeups: Wakeups;
  environment: KnownEnvironment;
  /** So long nodes may take for the figures of use: clients wait 5 s for the whole. */
  usageMs?: number;
}

type Status = ReturnType<typeof serviceStatus>;

/** The services of these names, none: all, as they are now, with what their containers use; unknown names are left out. */
export function createStatusReader({ deps, wakeups, environment, usageMs = 2_500 }: StatusReaderOptions) {
  return async (caller: Caller, names: readonly string[], signal: AbortSignal): Promise<Status[]> => {
    const seen = await environment.see(caller);
    if (seen === undefined) {
      const { services } = wantedOf(await environment.declaration(caller), names);
      return services.map(({ name }) => ({ name, status: "stopped" }));
    }
    const wanted = wantedOf(seen.row.declaration, names).services.map(({ name }) => name);
    const services = seen.services.filter(({ view }) => wanted.includes(view.name));
    const running = services.filter(({ view }) => view.running > 0).map(({ view }) => view.name);
    const usage = running.length === 0 ? [] : await usageOf(caller, running, signal);
    return services.map((service) => serviceStatus(service, usage));
  };

  async function usageOf(caller: Caller, names: readonly string[], signal: AbortSignal) {
    const namespaceId = await deps.directory.namespaceId(caller.namespace);
    const rows = await findReplicas(deps, namespaceId, environment.name, names);
    const until = AbortSignal.any([signal, AbortSignal.timeout(usageMs)]);
    return (await measureUsage({ db: deps.db, wakeups }, rows, until)).usage;
  }
}

function wantedOf(declaration: Declaration, names: readonly string[]): Pick<Declaration, "services"> {
  if (names.length === 0) return declaration;
  const found = names.map((name) => findService(declaration, name.trim())).filter((one) => one !== undefined);
  return { services: [...new Set(found)] };
}
