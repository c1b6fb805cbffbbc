import type { Executor } from "@drover/db/client";
import { type EnvironmentRow, lockEnvironment, startRolling } from "@drover/db/query/environment";
import { listServices, type ServiceRow } from "@drover/db/query/service";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { environmentNotFound, findEnvironment } from "./find-environment.ts";
import { followEnvironment } from "./follow-environment.ts";
import { hint } from "./roll-out.ts";

/** An environment that is locked, and its services by name. */
export interface LockedEnvironment {
  row: EnvironmentRow;
  services: ReadonlyMap<string, ServiceRow>;
}

/** Changes what the replicas of an environment should be, and has them follow, in one transaction. */
export async function changeEnvironment<T>(
  deps: Deps,
  caller: Caller,
  name: string,
  change: (tx: Executor, environment: LockedEnvironment) => Promise<T>,
): Promise<T> {
  const { id } = await findEnvironment(deps, caller, name);
  const { result, followed } = await deps.db.transaction(async (tx) => {
    const row = await lockEnvironment(tx, id);
    if (row === undefined) throw environmentNotFound(name);
    if (row.deletion_requested_at !== null) throw leaving(name);
    const services = new Map((await listServices(tx, [id])).map((service) => [service.name, service]));
    const changed = await change(tx, { row, services });
    await startRolling(tx, id);
    return { result: changed, followed: await followEnvironment(tx, id, caller.actor) };
  });
  hint(deps, id, { ...followed, hasChanged: true });
  return result;
}

function leaving(name: string): DroverError {
  return new DroverError("conflict", `Expected an environment that stays, got "${name}", which is being deleted.`, {
    hint: "Apply it again to have it back.",
  });
}
