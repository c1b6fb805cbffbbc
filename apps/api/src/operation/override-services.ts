import { tellEnvironment } from "@drover/db/query/environment";
import { setOverrides } from "@drover/db/query/service";
import { canonicalJson } from "@drover/domain/json";
import type { ServiceOverride } from "@drover/environment/override";
import { changeEnvironment } from "./change-environment.ts";
import type { Caller, Deps } from "./context.ts";
import { findServices } from "./find-environment.ts";

/**
 * Sets what is changed about services without a new generation, in place of what was changed before; one that says
 * nothing takes the change back. Names of the services for which that was news: only their containers are replaced.
 */
export async function overrideServices(
  deps: Deps,
  caller: Caller,
  environment: string,
  overrides: readonly ServiceOverride[],
): Promise<string[]> {
  return changeEnvironment(deps, caller, environment, async (tx, { row, services }) => {
    const changed: string[] = [];
    for (const { name: given, ...override } of overrides) {
      const [service] = findServices(row, [given]);
      const known = services.get(service?.name ?? given);
      if (known === undefined || canonicalJson(known.overrides) === canonicalJson(override)) continue;
      await setOverrides(tx, known.id, override);
      changed.push(known.name);
    }
    const about = { namespaceId: row.namespace_id, actor: caller.actor };
    const data = { environment: row.name, services: changed };
    if (changed.length > 0) await tellEnvironment(tx, { ...about, kind: "service.overridden", data });
    return changed;
  });
}
