import type { Metrics } from "@drover/daemon/metric";
import type { ReplicaReport } from "@drover/db/node/replica";
import type { ReplicaAction } from "@drover/domain/environment/replica-memory";
import type { metrics as declarations } from "../metric.ts";
import type { JobResult } from "./job.ts";

export interface Tally {
  probed(service: string, isHealthy: boolean, seconds: number): void;
  done(wanted: { id: string; service: string }, action: ReplicaAction, result: JobResult, seconds: number): void;
  /** A replica is said to be something; what it was said to be before. */
  said(
    wanted: { id: string; service: string },
    before: ReplicaReport | undefined,
    now: ReplicaReport,
    isContainerUp: boolean,
  ): void;
  active(services: number): void;
}

/** Counts what happens to services, by the names of the env-manager. */
export function createTally(metrics: Metrics<typeof declarations>["handles"]): Tally {
  // Those that were found running were started by another life.
  const starting = new Set<string>();
  const failed = (service: string, reason: "docker_error" | "health_check_failed") => {
    metrics.serviceStarts.inc({ service_name: service, status: "failed" });
    metrics.failedServiceStarts.inc({ service_name: service, reason });
  };
  return {
    probed: (service, isHealthy, seconds) =>
      metrics.serviceProbes.observe({ service_name: service, status: isHealthy ? "success" : "failed" }, seconds),
    done({ id, service }, { kind }, result, seconds) {
      const isDone = result.kind === "done";
      if (kind === "stop")
        return metrics.serviceStops.inc({ service_name: service, status: isDone ? "success" : "error" });
      if (kind === "remove") return;
      if (result.kind === "failed") failed(service, "docker_error");
      if (kind === "fetch") return;
      if (isDone) starting.add(id);
      metrics.dockerCalls.observe({ operation: "create_and_start", status: isDone ? "success" : "failed" }, seconds);
    },
    said({ id, service }, before, now, isContainerUp) {
      if (now.state === before?.state) return;
      if (now.state === "running" && starting.delete(id)) {
        metrics.serviceStarts.inc({ service_name: service, status: "success" });
      }
      if (now.state === "failed" && isContainerUp && starting.delete(id)) failed(service, "health_check_failed");
    },
    active: (services) => metrics.activeServices.set(services),
  };
}
