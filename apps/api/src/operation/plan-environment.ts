import { type EnvironmentRow, findEnvironment } from "@drover/db/query/environment";
import type { PlaceableReplicaRow } from "@drover/db/query/placeable";
import { listReplicas, type ReplicaRow } from "@drover/db/query/replica";
import { listServices, type ServiceRow } from "@drover/db/query/service";
import type { Fault } from "@drover/document/source/fault";
import type { Executor } from "@drover/db/client";
import type { Declaration } from "@drover/domain/environment/declaration";
import { planEnvironment as plan, type PlanStep } from "@drover/domain/environment/plan";
import { placementText, replicaSpec } from "@drover/domain/environment/spec";
import type { Rejection } from "@drover/domain/placement/request";
import type { Caller, Deps } from "./context.ts";
import { readSource } from "./environment-source.ts";
import { drawFleet, readFleet } from "./place/fleet.ts";
import { type Foreseen, foreseeEnvironment } from "./place/foresee.ts";

export interface ExplainedStep extends PlanStep {
  /** Of replicas that need a place: the node of each that would find one. */
  nodes: string[];
  /** Of the first that would find none: why. */
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
  const before = newest?.deletion_requested_at === null ? newest : undefined;
  const steps = plan(before?.declaration, read.declaration);
  return {
    name,
    generation: newest?.generation ?? 0,
    steps: await explain(deps.db, { before, after: read.declaration, steps }),
    warnings: read.warnings,
  };
}

interface Change {
  before: EnvironmentRow | undefined;
  after: Declaration;
  steps: readonly PlanStep[];
}

/** Places what needs a place one after the other in a copy of the fleet, without what the change takes off it. */
async function explain(db: Executor, change: Change): Promise<ExplainedStep[]> {
  const known = change.before === undefined ? [] : await listServices(db, [change.before.id]);
  const replicas = change.before === undefined ? [] : await listReplicas(db, [change.before.id]);
  const { rows, left } = movesOf(change, known, replicas);
  const found =
    rows.length === 0 ? new Map<string, Foreseen>() : foreseeEnvironment(drawFleet(await readFleet(db), left), rows);
  const byService = Map.groupBy(found, ([id]) => id.slice(0, id.lastIndexOf("/")));
  return change.steps.map((step) => {
    const places = (byService.get(step.service) ?? []).map(([, place]) => place);
    const reasons = places.find(({ rejections }) => rejections.length > 0)?.rejections ?? [];
    return { ...step, nodes: places.flatMap(({ to }) => to ?? []), rejections: [...reasons] };
  });
}

/** Replicas that would be placed, as `service/number`, and those that would give back what they have. */
function movesOf(
  { before, after }: Change,
  known: readonly ServiceRow[],
  replicas: readonly ReplicaRow[],
): { rows: PlaceableReplicaRow[]; left: ReadonlySet<string> } {
  const byName = new Map(known.map((service) => [service.name, service]));
  const counted = replicas.filter(({ wanted, is_leaving: isLeaving }) => wanted !== "gone" && !isLeaving);
  const left = new Set(counted.map(({ id }) => id));
  const rows: PlaceableReplicaRow[] = [];
  after.services.forEach((service, index) => {
    const spec = replicaSpec(after, service);
    const former = before?.declaration.services.find(({ name }) => name === service.name);
    const stays =
      before !== undefined &&
      former !== undefined &&
      placementText(replicaSpec(before.declaration, former)) === placementText(spec);
    const there = new Map(
      counted.flatMap((row) => (stays && row.service === service.name ? [[row.number, row] as const] : [])),
    );
    const row = byName.get(service.name);
    for (let number = 1; number <= service.replicas; number += 1) {
      const replica = there.get(number);
      if (replica !== undefined) left.delete(replica.id);
      if (replica !== undefined || row?.is_stopped === true) continue;
      rows.push({
        id: `${service.name}/${number}`,
        environment_id: before?.id ?? 0,
        service_id: row?.id ?? -1 - index,
        number,
        holder_id: null,
        waited_seconds: 0,
        spec,
        is_together: after.isTogether,
        last_holder_id: null,
      });
    }
  });
  return { rows, left };
}
