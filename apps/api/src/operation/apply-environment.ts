import { claimEnvironment, lockEnvironment } from "@drover/db/query/environment";
import type { Fault } from "@drover/document/source/fault";
import type { PlanStep } from "@drover/domain/environment/plan";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";
import { environmentFault, readSource } from "./environment-source.ts";
import { followEnvironment } from "./follow-environment.ts";
import { hint } from "./roll-out.ts";
import { saveGeneration } from "./save-generation.ts";

export interface EnvironmentDraft {
  /** YAML or JSON, or the name of a built-in environment. */
  source: string;
  /** Refused unless the newest generation is this one; absent: whatever it is, 0: there is none. */
  expectedGeneration?: number;
}

/** Saves a new generation of an environment, unless its newest one is equal, and has its replicas follow. */
export async function applyEnvironment(
  deps: Deps,
  caller: Caller,
  { source, expectedGeneration }: EnvironmentDraft,
): Promise<{ name: string; created: boolean; steps: PlanStep[]; warnings: readonly Fault[] }> {
  const read = readSource(source);
  if ("faults" in read) throw environmentFault(read.faults);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const { declaration, text, warnings } = read;
  const { name } = declaration;
  const { environmentId, saved, followed } = await deps.db.transaction(async (tx) => {
    const id = await claimEnvironment(tx, namespaceId, name);
    const newest = await lockEnvironment(tx, id);
    const number = newest?.generation ?? 0;
    if (expectedGeneration !== undefined && expectedGeneration !== number)
      throw moved(name, expectedGeneration, number);
    const generation = await saveGeneration(
      tx,
      { id, namespaceId, newest },
      { source: text, declaration, actor: caller.actor },
    );
    return { environmentId: id, saved: generation, followed: await followEnvironment(tx, id, caller.actor) };
  });
  hint(deps, environmentId, { ...followed, hasChanged: saved.created || followed.hasChanged });
  return { name, ...saved, warnings };
}

function moved(name: string, expected: number, newest: number): DroverError {
  return new DroverError(
    "conflict",
    `Expected generation ${expected} of environment "${name}" to be the newest, got ${newest}.`,
    {
      hint: `Somebody else applied it meanwhile: look with "drover env get ${name}", then apply again.`,
    },
  );
}
