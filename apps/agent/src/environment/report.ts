import type { ReplicaReport } from "@drover/db/node/replica";
import type { ReplicaStep } from "@drover/domain/environment/reconcile";
import type { Inspection } from "../docker/service-engine.ts";

export interface ReportFacts {
  inspection: Inspection | undefined;
  /** When the monotonic time of the steps was so much. */
  wallOf: (monotonicMs: number) => Date;
  imageDigest?: string;
  /** Of the pull that is under way. */
  pull?: { text: string; percent: number };
  /** In place of the step's own message. */
  message?: string;
}

/** What is said of a replica; undefined where nothing new is known. */
export function reportOf(step: ReplicaStep, facts: ReportFacts): ReplicaReport | undefined {
  const { desired, found, status, memory } = step;
  if (status === undefined) return undefined;
  if (status.state === "gone") return { replicaId: desired.id, state: "gone" };
  const { inspection, pull, imageDigest } = facts;
  const isRunning = found?.state === "running";
  const message = facts.message ?? (isRunning ? undefined : pull?.text) ?? status.message;
  const hasStarted = isRunning && found.startedAt !== undefined;
  return {
    replicaId: desired.id,
    state: status.state,
    ...(status.isHealthy !== undefined && { isHealthy: status.isHealthy }),
    message,
    ...(found && { containerId: found.id }),
    ...(imageDigest !== undefined && { imageDigest }),
    // Of what this node works on, which its container may not have reached yet.
    specHash: desired.specHash,
    round: desired.round,
    ...(hasStarted && found.startedAt !== undefined && { startedAt: new Date(found.startedAt).toISOString() }),
    ...(status.healthySinceMs !== undefined && { healthySince: healthySince(step, facts, status.healthySinceMs) }),
    restarts: memory.restarts,
    ...(found?.state === "stopped" && found.exitCode !== undefined && { exitCode: found.exitCode }),
    ...(isRunning && inspection && { ports: portsOf(inspection) }),
    progress: pull?.percent ?? (status.state === "running" ? 100 : 0),
    ...(found && found.drift.length > 0 && { drift: [...found.drift] }),
  };
}

// Without a check it is well from its start on, also where this agent began to look later.
function healthySince({ desired, found }: ReplicaStep, { wallOf }: ReportFacts, sinceMs: number): string {
  const isStart = desired.spec.service.health === undefined && found?.startedAt !== undefined;
  return (isStart ? new Date(found.startedAt ?? 0) : wallOf(sinceMs)).toISOString();
}

function portsOf({ NetworkSettings: settings }: Inspection): NonNullable<ReplicaReport["ports"]> {
  // The typings leave out that a port which is not published has none.
  const ports = (settings.Ports ?? {}) as Record<string, { HostIp: string; HostPort: string }[] | null>;
  return Object.entries(ports).flatMap(([key, hosts]) => {
    const [containerPort = "0", protocol = "tcp"] = key.split("/");
    return (hosts ?? []).map(({ HostIp: hostIp, HostPort: hostPort }) => ({
      containerPort: Number(containerPort),
      hostPort: Number(hostPort),
      hostIp,
      protocol,
    }));
  });
}
