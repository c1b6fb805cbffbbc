import type { Executor } from "@drover/db/client";
import { replicasToExplain } from "@drover/db/query/placeable";
import { placedTaskFacts } from "@drover/db/query/placement";
import type { PlacementFacts } from "@drover/domain/pending";
import { taskRequest } from "@drover/domain/placed-task";
import { explainPlacement } from "@drover/domain/placement/fit";
import type { Rejection } from "@drover/domain/placement/request";
import { drawFleet, type Fleet, readFleet } from "./fleet.ts";
import { foresee, type Foreseen } from "./foresee.ts";

/** Why a pending task has no place; undefined where none has to be found for it. */
export async function explainTask(db: Executor, taskId: string): Promise<PlacementFacts | undefined> {
  const facts = await placedTaskFacts(db, taskId);
  if (facts === undefined) return undefined;
  const { node, execution, executor, class: className, has_started: hasStarted, gang_present: present } = facts;
  const { nodes } = await recentFleet(db);
  const { gang } = execution;
  return {
    ...(node !== null && { node }),
    ...(gang !== undefined && !hasStarted && present !== null && { gang: { ...gang, present } }),
    nodes: nodes.length,
    rejections: explainPlacement(nodes, taskRequest(execution, { executor, className })),
  };
}

/** Why replicas of environments have no place, by the replica's id: each node with what keeps it from running it. */
export async function explainReplicas(
  db: Executor,
  environmentIds: readonly number[],
): Promise<ReadonlyMap<string, readonly Rejection[]>> {
  const rows = environmentIds.length === 0 ? [] : await replicasToExplain(db, { environmentIds });
  if (rows.length === 0) return new Map();
  const found = foresee(await recentFleet(db), rows);
  return new Map([...found].map(([id, { rejections }]) => [id, rejections]));
}

/** Where the replicas of a node would go if it were drained now: the name of a node, or why there is none. */
export async function explainDrain(db: Executor, holderId: number): Promise<ReadonlyMap<string, Foreseen>> {
  const rows = await replicasToExplain(db, { holderId });
  if (rows.length === 0) return new Map();
  const fleet = await recentFleet(db);
  const draining = fleet.nodes.map((node) => (node.id === holderId ? { ...node, state: "draining" as const } : node));
  return foresee({ ...fleet, nodes: draining, homes: new Map() }, rows);
}

const memories = new WeakMap<Executor, { until: number; fleet: Promise<Fleet> }>();
const rememberMs = 1000;

/** Who asks about a hundred tasks in turn gets one picture of the fleet for all of them. */
function recentFleet(db: Executor): Promise<Fleet> {
  const known = memories.get(db);
  if (known !== undefined && known.until > performance.now()) return known.fleet;
  const fleet = readFleet(db).then((rows) => drawFleet(rows));
  const memory = { until: performance.now() + rememberMs, fleet };
  memories.set(db, memory);
  fleet.catch(() => {
    if (memories.get(db) === memory) memories.delete(db);
  });
  return fleet;
}
