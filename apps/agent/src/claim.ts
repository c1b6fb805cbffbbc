import type { HeldClaim } from "@drover/db/node/register";
import type { Execution } from "@drover/domain/execution";
import { formatTaskKey } from "@drover/domain/task-id";
import type { RunRequest } from "./executor/executor.ts";
import type { FoundGpu } from "./gpu/found.ts";

/** A GPU of this host, as it was found last. */
export type FindGpu = (uuid: string) => FoundGpu | undefined;

/** What an executor needs of a claim; what a container needs of its GPUs comes from this host. */
export function requestOf(claim: HeldClaim, findGpu: FindGpu): RunRequest {
  const gpus = (claim.gpus ?? []).map(({ uuid, vendor, memoryMib }) => {
    const { deviceNodes = [], deviceGroups = [] } = findGpu(uuid) ?? {};
    return { uuid, vendor, deviceNodes, deviceGroups, ...(memoryMib !== null && { memoryMib }) };
  });
  return {
    taskKey: claim.task_id,
    fence: claim.fence,
    attempt: claim.attempt,
    taskId: claim.name ?? formatTaskKey(BigInt(claim.task_id)),
    namespace: claim.namespace,
    class: claim.class,
    // Written by our own submit operation, which took it from a checked request.
    execution: claim.execution as Execution,
    payload: claim.payload,
    timeoutSeconds: claim.timeout_seconds,
    ...(claim.grant && { grant: claim.grant }),
    ...(gpus.length > 0 && { gpus }),
  };
}

/** The places on GPUs that a claim holds, as names: who holds one keeps it from others. */
export function placesOf({ gpus }: HeldClaim): string[] {
  return (gpus ?? []).map(({ uuid, slot }) => `${uuid}/${slot}`);
}

/** Whether the task runs on while its node cannot reach the database. */
export function outlivesLease({ execution }: RunRequest): boolean {
  const { kind = "stop" } = execution.onDisconnect ?? {};
  return kind !== "stop";
}

/** Says which GPUs of a claim this host does not have, or not in working order. */
export function missingGpus(claim: HeldClaim, findGpu: FindGpu): string | undefined {
  const faults = (claim.gpus ?? []).flatMap(({ uuid }) => {
    const gpu = findGpu(uuid);
    if (gpu?.isUsable) return [];
    return [gpu ? `${uuid}: ${gpu.evidence ?? "it cannot be used."}` : `${uuid}: this node does not find it.`];
  });
  return faults.length > 0 ? `A GPU that was set aside for the task cannot be used. ${faults.join(" ")}` : undefined;
}
