import type { WantedReplica } from "@drover/db/node/replica";
import type { ReplicaStep } from "@drover/domain/environment/reconcile";
import { runKey } from "@drover/domain/environment/replica-memory";
import type { GpuUser } from "./gpu-hold.ts";
import type { Observed } from "./observe.ts";
import type { Watched } from "./prober.ts";

/** The runs whose health is to be probed. */
export function watchedOf(
  steps: readonly ReplicaStep[],
  wanted: ReadonlyMap<string, WantedReplica>,
  byId: ReadonlyMap<string, Observed>,
): Map<string, Watched> {
  const watched = new Map<string, Watched>();
  for (const { desired, found } of steps) {
    const check = wanted.get(desired.id)?.spec.service.health;
    const inspection = found && byId.get(found.id)?.inspection;
    if (!check || !inspection || found.state !== "running" || desired.wanted !== "running") continue;
    watched.set(runKey(found), { containerId: found.id, inspection, check, service: desired.service });
  }
  return watched;
}

/** How long a container gets from its signal to SIGKILL, as it was made. */
export function graceOf(inspection: Observed["inspection"]): number {
  // The typings leave it out.
  const config = inspection?.Config as { StopTimeout?: number } | undefined;
  return config?.StopTimeout ?? 10;
}

/** A replica that runs here with GPUs. */
export function gpuUserOf({ desired, found }: ReplicaStep): GpuUser[] {
  if (desired.wanted !== "running" || !desired.gpus || desired.gpus.length === 0) return [];
  const { id: replicaId, environment, service, number } = desired;
  const gpus = desired.gpus.map(({ uuid }) => uuid);
  const name = `${environment}/${service}-${number}`;
  return [{ replicaId, name, gpus, ...(found?.state === "running" && { containerId: found.id }) }];
}
