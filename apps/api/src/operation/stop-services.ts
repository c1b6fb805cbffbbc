import { tellEnvironment } from "@drover/db/query/environment";
import { steerServices } from "@drover/db/query/service";
import { startOrder } from "@drover/domain/environment/dependency";
import { changeEnvironment } from "./change-environment.ts";
import type { Caller, Deps } from "./context.ts";
import { findServices } from "./find-environment.ts";

export interface StoppedServices {
  /** In the order in which they stop. */
  services: string[];
  /** Services that go on, though they depend on one of these. */
  dependents: string[];
}

/** Stops services, none named: all; they stay stopped through further generations. */
export async function stopServices(
  deps: Deps,
  caller: Caller,
  environment: string,
  names: readonly string[],
): Promise<StoppedServices> {
  return changeEnvironment(deps, caller, environment, async (tx, { row, services }) => {
    const asked = new Set(findServices(row, names).map(({ name }) => name));
    const rows = [...asked].flatMap((name) => services.get(name) ?? []).filter((one) => !one.is_stopped);
    await steerServices(tx, { ids: rows.map(({ id }) => id), isStopped: true, hasNewRound: false });
    const about = { namespaceId: row.namespace_id, actor: caller.actor };
    const data = { environment: row.name, services: rows.map(({ name }) => name) };
    if (rows.length > 0) await tellEnvironment(tx, { ...about, kind: "service.stopped", data });
    const order = startOrder(row.declaration.services).flat().toReversed();
    return {
      services: order.filter((name) => asked.has(name)),
      dependents: row.declaration.services
        .filter(
          ({ name, dependsOn }) =>
            !asked.has(name) && services.get(name)?.is_stopped === false && dependsOn.some((one) => asked.has(one)),
        )
        .map(({ name }) => name),
    };
  });
}
