import { findGeneration, lockEnvironment } from "@drover/db/query/environment";
import type { PlanStep } from "@drover/domain/environment/plan";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { findEnvironment } from "./find-environment.ts";
import { followEnvironment } from "./follow-environment.ts";
import { hint } from "./roll-out.ts";
import { saveGeneration } from "./save-generation.ts";

/** Makes an older generation the newest one, as a generation of its own; without a number the one before the newest. */
export async function rollbackEnvironment(
  deps: Deps,
  caller: Caller,
  name: string,
  generation?: number,
): Promise<{ steps: PlanStep[] }> {
  const { id } = await findEnvironment(deps, caller, name);
  const { saved, followed } = await deps.db.transaction(async (tx) => {
    const newest = await lockEnvironment(tx, id);
    const number = generation ?? (newest?.generation ?? 0) - 1;
    const older = await findGeneration(tx, id, number);
    if (newest === undefined || older === undefined) throw noGeneration(name, number, newest?.generation ?? 0);
    const { source, declaration } = older;
    const environment = { id, namespaceId: newest.namespace_id, newest };
    const made = await saveGeneration(tx, environment, { source, declaration, copyOf: number, actor: caller.actor });
    return { saved: made, followed: await followEnvironment(tx, id, caller.actor) };
  });
  hint(deps, id, { ...followed, hasChanged: true });
  return { steps: saved.steps };
}

function noGeneration(name: string, number: number, newest: number): DroverError {
  const which =
    number < 1 ? `has no generation before its newest one, ${newest}` : `has generations 1 to ${newest}, got ${number}`;
  return new DroverError(number < 1 ? "conflict" : "not_found", `Environment "${name}" ${which}.`, {
    hint: `List what was applied with "drover env history ${name}".`,
  });
}
