import type { HealthCheck } from "@drover/domain/environment/declaration";
import type { Answer } from "../docker/answer.ts";
import type { ProbeReplica } from "./probe.ts";

export interface ReplicaProbeOptions<Inspection> {
  /** The health check of a replica that this node keeps; undefined: it declares none. */
  findCheck: (replicaId: string) => HealthCheck | undefined;
  inspect: (containerId: string) => Promise<Answer<Inspection>>;
  probe: (
    target: { containerId: string; inspection: Inspection },
    check: HealthCheck,
  ) => Promise<{ isHealthy: boolean; message: string }>;
}

/** Makes the declared health check of a replica once for one who asks, apart from the checks that keep it running. */
export function createReplicaProbe<Inspection>({
  findCheck,
  inspect,
  probe,
}: ReplicaProbeOptions<Inspection>): ProbeReplica {
  return async (replicaId, containerId) => {
    const check = findCheck(replicaId);
    if (check === undefined) return undefined;
    const details = { probe: check.probe.kind };
    const looked = await inspect(containerId);
    if (!looked.ok) {
      return { isHealthy: false, message: `Its container could not be looked at: ${looked.message}`, details };
    }
    const { isHealthy, message } = await probe({ containerId, inspection: looked.value }, check);
    return { isHealthy, message: message === "" && isHealthy ? "Its health check succeeds." : message, details };
  };
}
