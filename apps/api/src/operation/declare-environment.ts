import { claimEnvironment, lockEnvironment } from "@drover/db/query/environment";
import { listServices, steerServices } from "@drover/db/query/service";
import type { Caller, Deps } from "./context.ts";
import { environmentFault, readSource } from "./environment-source.ts";
import { followEnvironment } from "./follow-environment.ts";
import { hint } from "./roll-out.ts";
import { saveGeneration } from "./save-generation.ts";

/**
 * Saves a generation of an environment without starting anything: services that it brings are stopped until somebody
 * starts them, those that were there already go on as they are.
 */
export async function declareEnvironment(deps: Deps, caller: Caller, source: string): Promise<{ created: boolean }> {
  const read = readSource(source);
  if ("faults" in read) throw environmentFault(read.faults);
  const { declaration, text } = read;
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const { id, created, followed } = await deps.db.transaction(async (tx) => {
    const environmentId = await claimEnvironment(tx, namespaceId, declaration.name);
    const newest = await lockEnvironment(tx, environmentId);
    const isLeaving = newest === undefined || newest.deletion_requested_at !== null;
    const before = new Set(isLeaving ? [] : (await listServices(tx, [environmentId])).map((service) => service.id));
    const environment = { id: environmentId, namespaceId, newest };
    const saved = await saveGeneration(tx, environment, { source: text, declaration, actor: caller.actor });
    const brought = (await listServices(tx, [environmentId])).filter((service) => !before.has(service.id));
    const steered = { ids: brought.map((service) => service.id), isStopped: true, hasNewRound: false };
    await steerServices(tx, steered);
    return { id: environmentId, ...saved, followed: await followEnvironment(tx, environmentId, caller.actor) };
  });
  hint(deps, id, { ...followed, hasChanged: created || followed.hasChanged });
  return { created };
}
