import { tellEnvironment } from "@drover/db/query/environment";
import { listForRollout } from "@drover/db/query/replica";
import { steerServices } from "@drover/db/query/service";
import { startOrder, withDependencies } from "@drover/domain/environment/dependency";
import { changeEnvironment } from "./change-environment.ts";
import type { Caller, Deps } from "./context.ts";
import { findServices } from "./find-environment.ts";

/**
 * Starts services, none named: all, with everything that they depend on. Those that were stopped, or of which nothing
 * runs any more since it failed, begin anew. Their names in the order in which they start.
 */
export async function startServices(
  deps: Deps,
  caller: Caller,
  environment: string,
  names: readonly string[],
): Promise<string[]> {
  return changeEnvironment(deps, caller, environment, async (tx, { row, services }) => {
    const asked = findServices(row, names).map(({ name }) => name);
    const needed = new Set(withDependencies(row.declaration.services, asked));
    const failed = failedServices(await listForRollout(tx, row.id));
    const anew = [...needed]
      .flatMap((name) => services.get(name) ?? [])
      .filter(({ id, is_stopped: isStopped }) => isStopped || failed.has(id));
    await steerServices(tx, { ids: anew.map(({ id }) => id), isStopped: false, hasNewRound: true });
    const order = startOrder(row.declaration.services)
      .flat()
      .filter((name) => needed.has(name));
    const about = { namespaceId: row.namespace_id, actor: caller.actor };
    const data = { environment: row.name, services: anew.map(({ name }) => name) };
    if (anew.length > 0) await tellEnvironment(tx, { ...about, kind: "service.started", data });
    return order;
  });
}

/** Services of which something failed and nothing runs. */
function failedServices(replicas: readonly { service_id: number; state: string | null }[]): ReadonlySet<number> {
  const groups = Map.groupBy(replicas, (replica) => replica.service_id);
  return new Set(
    [...groups]
      .filter(
        ([, group]) => group.some(({ state }) => state === "failed") && !group.some(({ state }) => state === "running"),
      )
      .map(([id]) => id),
  );
}
