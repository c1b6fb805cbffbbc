import type { Engine } from "../docker/engine.ts";
import { DroverError } from "@drover/domain/error";

/** The label by which a replica's containers are found. */
const replicaLabel = "drover.replica";

export interface ReplicaContainer {
  id: string;
  replicaId: string;
  isRunning: boolean;
  /** In the engine's words: Exited (1) 3 minutes ago. */
  status: string;
}

/** The containers of replicas on this node, or of one of them, the newest first; an engine that is away is an error. */
export async function listContainers(engine: Engine, replicaId?: string): Promise<ReplicaContainer[]> {
  const answer = await engine.list([replicaId === undefined ? replicaLabel : `${replicaLabel}=${replicaId}`]);
  if (!answer.ok) {
    throw new DroverError("unavailable", `Expected the container engine to answer, got: ${answer.message}`);
  }
  return answer.value
    .toSorted((a, b) => b.Created - a.Created)
    .map(({ Id: id, Labels: labels, State: state, Status: status }) => ({
      id,
      replicaId: labels[replicaLabel] ?? "",
      isRunning: state === "running" || state === "paused",
      status,
    }));
}
