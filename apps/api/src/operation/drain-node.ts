import { drainNode as drain, listNodeReplicas, listNodeTasks } from "@drover/db/query/node";
import { type DrainEstimate, drainSeconds, replicaSeconds, taskSeconds } from "@drover/domain/drain";
import { formatTaskKey } from "@drover/domain/task-id";
import type { Caller, Deps } from "./context.ts";
import { findNode, nodeNotFound } from "./find-node.ts";
import { explainDrain } from "./place/explain.ts";

export interface DrainDraft {
  /** 0: ten minutes. */
  deadlineSeconds: number;
  reason: string;
  /** Only tells what would happen. */
  isPlan: boolean;
}

/** Empties a node: nothing new, replicas move away, tasks may end until the deadline and go back to their queues then. */
export async function drainNode(
  deps: Deps,
  caller: Caller,
  name: string,
  { deadlineSeconds: asked, reason, isPlan }: DrainDraft,
): Promise<{ items: DrainEstimate[]; expectedSeconds: number }> {
  const deadlineSeconds = asked || 600;
  const { id, isRemoved } = await findNode(deps, caller, name);
  if (isRemoved) throw nodeNotFound(name);
  // Told as it is before: once replicas have begun to move, there is less to tell.
  const items = await estimate(deps, id, deadlineSeconds);
  if (!isPlan) {
    if (!(await drain(deps.db, id, { seconds: deadlineSeconds, reason, actor: caller.actor })))
      throw nodeNotFound(name);
    deps.waker.wake("place");
  }
  return { items, expectedSeconds: drainSeconds(items, deadlineSeconds) };
}

async function estimate(deps: Deps, holderId: number, deadlineSeconds: number): Promise<DrainEstimate[]> {
  const places = await explainDrain(deps.db, holderId);
  const replicas = await listNodeReplicas(deps.db, holderId);
  const tasks = await listNodeTasks(deps.db, holderId);
  return [
    ...replicas.map(({ id, name, is_stopped: isStopped, start_seconds: startSeconds }) => {
      const place = places.get(id) ?? { rejections: [] };
      const facts = { isStopped, hasPlace: place.to !== undefined, startSeconds: startSeconds ?? undefined };
      const expectedSeconds = replicaSeconds({ ...facts, deadlineSeconds });
      return { kind: "replica" as const, name, ...place, expectedSeconds };
    }),
    ...tasks.map((task) => ({
      kind: "task" as const,
      name: task.name ?? formatTaskKey(BigInt(task.task_id)),
      expectedSeconds: taskSeconds({
        elapsedSeconds: task.elapsed_seconds,
        usualSeconds: task.median_seconds ?? undefined,
        limitSeconds: task.timeout_seconds,
        deadlineSeconds,
      }),
      rejections: [],
    })),
  ];
}
