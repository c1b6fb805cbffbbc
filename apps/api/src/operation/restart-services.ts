import { tellEnvironment } from "@drover/db/query/environment";
import { steerServices } from "@drover/db/query/service";
import { startOrder, withDependencies } from "@drover/domain/environment/dependency";
import { changeEnvironment } from "./change-environment.ts";
import type { Caller, Deps } from "./context.ts";
import { findServices } from "./find-environment.ts";

/**
 * Has the containers of services, none named: of all, replaced by new ones at the pace of their update policy. One that
 * was stopped starts, with all that it depends on. Their names in the order in which they start.
 */
export async function restartServices(
  deps: Deps,
  caller: Caller,
  environment: string,
  names: readonly string[],
): Promise<string[]> {
  return changeEnvironment(deps, caller, environment, async (tx, { row, services }) => {
    const { declaration } = row;
    const asked = findServices(row, names).map(({ name }) => name);
    const rowsOf = (list: readonly string[]) => list.flatMap((name) => services.get(name) ?? []);
    const stopped = rowsOf(asked).filter((service) => service.is_stopped);
    const pulledIn = rowsOf(
      withDependencies(
        declaration.services,
        stopped.map(({ name }) => name),
      ),
    ).filter(({ name, is_stopped: isStopped }) => isStopped && !asked.includes(name));
    const begun = [...rowsOf(asked), ...pulledIn];
    await steerServices(tx, { ids: begun.map(({ id }) => id), isStopped: false, hasNewRound: true });
    const about = { namespaceId: row.namespace_id, actor: caller.actor };
    const data = { environment: row.name, services: begun.map(({ name }) => name) };
    await tellEnvironment(tx, { ...about, kind: "service.restarted", data });
    const isBegun = new Set(begun.map(({ name }) => name));
    return startOrder(declaration.services)
      .flat()
      .filter((name) => isBegun.has(name));
  });
}
