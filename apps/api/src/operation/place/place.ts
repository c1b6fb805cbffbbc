import type { Executor } from "@drover/db/client";
import { misplacedReplicas, unplacedReplicas } from "@drover/db/query/placeable";
import {
  lockPlacing,
  moveReplicas,
  placeReplicas,
  placeTasks,
  type ReplicaPlace,
  takeBackPlacements,
  type TaskPlace,
} from "@drover/db/query/placement";
import { createRound } from "@drover/domain/placement/round";
import type { Deps } from "../context.ts";
import { drawFleet, readFleet } from "./fleet.ts";
import { createLine } from "./line.ts";
import { placeSets, replicaSets, requestOf } from "./replica-round.ts";
import { createTaskRound } from "./task-round.ts";

export interface PlaceOptions {
  deps: Pick<Deps, "db">;
  /** Of one transaction. */
  maxTasks?: number;
  maxReplicas?: number;
  pageSize?: number;
  /** After so long without a place, room is kept for a task or replica. */
  overdueSeconds?: number;
}

export interface Placed {
  /** false: another replica of the API is at it. */
  isOurs: boolean;
  tasks: number;
  replicas: number;
  /** Placements that nobody claimed, and replicas that lost their node. */
  takenBack: number;
  moved: number;
  /** Replicas that run on only until their replacements do. */
  leaving: number;
  /** Tasks and replicas that were looked at and found no place. */
  left: number;
  /** How many requests room is kept for. */
  reserved: number;
  /** It placed as much as one transaction does: there may be more. */
  hasMore: boolean;
  /** Some of what it decided about was in other hands. */
  isRefused: boolean;
}

/**
 * Places tasks and replicas on nodes: takes back what came to nothing, reads the fleet, decides about replicas first and
 * then about tasks in their order, and writes it, all in one transaction that no second one runs beside.
 */
export function createPlace({
  deps,
  maxTasks = 2000,
  maxReplicas = 1000,
  pageSize = 1000,
  overdueSeconds = 60,
}: PlaceOptions): () => Promise<Placed> {
  const line = createLine({ pageSize });

  async function placeRound(tx: Executor): Promise<Placed> {
    const takenBack = await takeBackPlacements(tx);
    const { changed: moved, leaving } = await moveReplicas(tx);
    const shifted = await placeMisplaced(tx);
    const waiting = await unplacedReplicas(tx, maxReplicas);
    const pages = line.pages(tx);
    const front = await pages.next();
    const done = { ...notOurs, isOurs: true, takenBack, moved, leaving, replicas: shifted.placed, left: shifted.left };
    if (waiting.length === 0 && front.done === true) return done;

    const fleet = drawFleet(await readFleet(tx));
    const round = createRound(fleet);
    const replicas = placeSets(round, replicaSets(waiting, fleet, overdueSeconds));
    const tasks = createTaskRound({ round, fleet, overdueSeconds });
    for (let page = front; page.done !== true && tasks.places.length < maxTasks; page = await pages.next())
      tasks.add(page.value);
    tasks.finish();
    const written = await write(tx, replicas.places, tasks.places);
    return {
      ...done,
      tasks: written.tasks,
      replicas: written.replicas + shifted.placed,
      left: replicas.left + tasks.left + shifted.left,
      reserved: round.reserved,
      hasMore: written.tasks >= maxTasks || written.replicas >= maxReplicas,
      isRefused: written.replicas < replicas.places.length || written.tasks < tasks.places.length,
    };
  }

  return () => deps.db.transaction(async (tx) => ((await lockPlacing(tx)) ? placeRound(tx) : notOurs));
}

const notOurs: Placed = {
  isOurs: false,
  tasks: 0,
  replicas: 0,
  takenBack: 0,
  moved: 0,
  leaving: 0,
  left: 0,
  reserved: 0,
  hasMore: false,
  isRefused: false,
};

/**
 * Replicas whose GPUs cannot be used any more go to others, on the same node or another one. They stay where they are
 * until there is a place: half a service is better than none.
 */
async function placeMisplaced(tx: Executor): Promise<{ placed: number; left: number }> {
  const misplaced = await misplacedReplicas(tx, maxMisplaced);
  let rows = misplaced.length > 0 ? await readFleet(tx) : undefined;
  let placed = 0;
  for (const row of misplaced) {
    rows ??= await readFleet(tx);
    const fleet = drawFleet(rows, new Set([row.id]));
    const homeId = row.is_together ? fleet.homes.get(row.environment_id) : undefined;
    const wanted = {
      requests: [requestOf(row)],
      isOverdue: false,
      ...(homeId !== undefined && { isTogether: true, nodeId: homeId }),
    };
    const { places } = placeSets(createRound(fleet), [{ rows: [row], wanted }]);
    const written = await placeReplicas(tx, places);
    placed += written.length;
    if (written.length > 0) rows = undefined;
  }
  return { placed, left: misplaced.length - placed };
}

/** In one round; each is looked at on its own. */
const maxMisplaced = 20;

async function write(tx: Executor, replicas: readonly ReplicaPlace[], tasks: readonly TaskPlace[]) {
  const placedReplicas = await placeReplicas(tx, replicas);
  const placedTasks = await placeTasks(tx, tasks);
  return { replicas: placedReplicas.length, tasks: placedTasks.length };
}
