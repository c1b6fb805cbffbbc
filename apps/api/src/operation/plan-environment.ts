import { findEnvironment } from "@drover/db/query/environment";
import type { Fault } from "@drover/document/source/fault";
import { planEnvironment as plan, type PlanStep } from "@drover/domain/environment/plan";
import type { Caller, Deps } from "./context.ts";
import { readSource } from "./environment-source.ts";

export type EnvironmentPlan =
  | { name: string; generation: number; steps: PlanStep[]; warnings: readonly Fault[] }
  | { faults: readonly Fault[] };

/** What applying a source would do; changes nothing. */
export async function planEnvironment(deps: Deps, caller: Caller, source: string): Promise<EnvironmentPlan> {
  const read = readSource(source);
  if ("faults" in read) return read;
  const { name } = read.declaration;
  const newest = await findEnvironment(deps.db, await deps.directory.namespaceId(caller.namespace), name);
  // One that is being deleted has nothing left to change.
  const before = newest?.deletion_requested_at === null ? newest.declaration : undefined;
  return {
    name,
    generation: newest?.generation ?? 0,
    steps: plan(before, read.declaration),
    warnings: read.warnings,
  };
}
