import { findEnvironment } from "@drover/db/query/environment";
import type { Fault } from "@drover/document/source/fault";
import type { Executor } from "@drover/db/client";
import type { Declaration } from "@drover/domain/environment/declaration";
import { planEnvironment as plan, type PlanStep } from "@drover/domain/environment/plan";
import { replicaSpec } from "@drover/domain/environment/spec";
import { replicaRequest } from "@drover/domain/placed-replica";
import { explainPlacement } from "@drover/domain/placement/fit";
import type { Rejection } from "@drover/domain/placement/request";
import { drawFleet, readFleet } from "./place/fleet.ts";
import type { Caller, Deps } from "./context.ts";
import { readSource } from "./environment-source.ts";

export interface ExplainedStep extends PlanStep {
  /** Of a new service that no node could run now: why not. */
  rejections: Rejection[];
}

export type EnvironmentPlan =
  | { name: string; generation: number; steps: ExplainedStep[]; warnings: readonly Fault[] }
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
    steps: await explain(deps.db, read.declaration, plan(before, read.declaration)),
    warnings: read.warnings,
  };
}

/** What is there already takes room that it would give back, so only of new services it can be said that they have none. */
async function explain(db: Executor, declaration: Declaration, steps: readonly PlanStep[]): Promise<ExplainedStep[]> {
  const isNew = ({ action }: PlanStep) => action === "create";
  const { nodes } = steps.some(isNew) ? drawFleet(await readFleet(db)) : { nodes: [] };
  return steps.map((step) => {
    const service = isNew(step) ? declaration.services.find(({ name }) => name === step.service) : undefined;
    if (service === undefined || service.replicas === 0) return { ...step, rejections: [] };
    const rejections = explainPlacement(nodes, replicaRequest(replicaSpec(declaration, service), 0));
    return { ...step, rejections: rejections.length < nodes.length ? [] : rejections };
  });
}
