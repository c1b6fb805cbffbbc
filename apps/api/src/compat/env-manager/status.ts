import type { MessageInitShape } from "@bufbuild/protobuf";
import { compatServiceStatus, type ServiceNow } from "@drover/domain/compat-service";
import { unixSeconds } from "@drover/domain/compat-task";
import type { ServiceStatusSchema } from "@drover/proto/env_manager/env_manager";
import type { SeenReplica, SeenService } from "../../operation/view-environment.ts";
import type { ReplicaUsage } from "../../rpc/service.ts";

/** A service as it is now, for the story of its start. */
export function serviceNow({ view, declared, replicas }: SeenService): ServiceNow {
  const counted = replicas.filter((replica) => replica.view.isCounted);
  const progress = counted.map(({ row, view: seen }) => (seen.state === "running" ? 100 : (row.progress ?? 0)));
  return {
    name: view.name,
    isRequired: view.isRequired,
    dependsOn: declared?.dependsOn ?? [],
    // Stopped by somebody is stopped, whatever its containers are about yet.
    state: view.isStopped ? "stopped" : view.state,
    message: view.message,
    progress: progress.length === 0 ? 0 : Math.floor(progress.reduce((sum, one) => sum + one, 0) / progress.length),
  };
}

/** A service as GetServicesStatus answers it; with several replicas it is the first that gives container and start. */
export function serviceStatus(
  service: SeenService,
  usage: readonly ReplicaUsage[],
): MessageInitShape<typeof ServiceStatusSchema> {
  const { view, replicas } = service;
  const counted = replicas.filter((replica) => replica.view.isCounted);
  const [first] = counted.filter(({ row }) => row.container_id !== null);
  const isUp = view.state !== "stopped";
  const used = usage.filter((one) => one.service === view.name);
  return {
    name: view.name,
    status: compatServiceStatus(view.state),
    containerId: first?.row.container_id ?? "",
    ports: isUp ? hostPorts(counted) : [],
    healthChecks: healthChecks(service, counted),
    startedAt: isUp && first?.row.started_at ? unixSeconds(first.row.started_at) : 0n,
    ...(used.length > 0 && { resourceUsage: totalUsage(used) }),
  };
}

function hostPorts(replicas: readonly SeenReplica[]): number[] {
  return [...new Set(replicas.flatMap(({ row }) => row.ports ?? []).map(({ hostPort }) => hostPort))].toSorted(
    (a, b) => a - b,
  );
}

/** By the kind of the check, with the number of the replica where there are several. */
function healthChecks({ view, declared }: SeenService, counted: readonly SeenReplica[]): Record<string, string> {
  const kind = declared?.health?.probe.kind;
  if (kind === undefined || view.isStopped) return {};
  return Object.fromEntries(
    counted.map(({ row, view: seen }) => {
      const name = counted.length === 1 ? kind : `${kind}-${row.number}`;
      const word = row.is_healthy === null ? "unknown" : row.is_healthy ? "healthy" : "unhealthy";
      return [name, row.is_healthy === true || seen.message === "" ? word : `${word}: ${seen.message}`];
    }),
  );
}

function totalUsage(usage: readonly ReplicaUsage[]) {
  const sum = (amountOf: (one: ReplicaUsage) => number) => usage.reduce((total, one) => total + amountOf(one), 0);
  return {
    cpuPercent: sum((one) => one.cpuPercent),
    memoryBytes: BigInt(Math.round(sum((one) => one.memoryBytes))),
    networkRxBytes: BigInt(Math.round(sum((one) => one.networkRxBytes))),
    networkTxBytes: BigInt(Math.round(sum((one) => one.networkTxBytes))),
  };
}
