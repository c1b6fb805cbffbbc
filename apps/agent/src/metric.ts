import type { MetricDeclarations } from "@drover/daemon/metric";

/** Every metric of an agent. */
export const metrics = {
  running: { name: "drover_agent_tasks_running", type: "gauge", help: "Attempts in hand.", labels: ["class"] },
  ended: {
    name: "drover_agent_attempts_total",
    type: "counter",
    help: "Attempts that ended here, by executor and outcome.",
    labels: ["executor", "outcome"],
  },
  seconds: {
    name: "drover_agent_attempt_duration_seconds",
    type: "histogram",
    help: "How long attempts took.",
    labels: ["executor"],
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200],
  },
  leased: { name: "drover_agent_leased", type: "gauge", help: "1 while the lease is held." },
  executorReady: {
    name: "drover_agent_executor_ready",
    type: "gauge",
    help: "1 where an executor can run tasks.",
    labels: ["executor"],
  },
  stale: {
    name: "drover_agent_stale_reports_total",
    type: "counter",
    help: "Reports that came after the claim was gone.",
  },
  gpus: {
    name: "drover_agent_gpus",
    type: "gauge",
    help: "GPUs and slices of this host; unusable: why is in the log and in `drover gpu list`.",
    labels: ["state"],
  },
  gpuUse: {
    name: "drover_agent_gpu_utilization_ratio",
    type: "gauge",
    help: "How busy a GPU was at the last look, 0 to 1; slices tell none.",
    labels: ["vendor", "number"],
  },
  gpuFaults: {
    name: "drover_agent_gpu_faults_total",
    type: "counter",
    help: "GPUs that were lost (cordon), and containers that lost the way to theirs (recreate).",
    labels: ["action"],
  },
  swept: { name: "drover_agent_swept_total", type: "counter", help: "Leftovers of former lives that were removed." },
  // By the names of the env-manager, whose place the agent takes.
  serviceStarts: {
    name: "env_manager_service_start_total",
    type: "counter",
    help: "Starts of services: success once one is healthy.",
    labels: ["service_name", "status"],
  },
  serviceStops: {
    name: "env_manager_service_stop_total",
    type: "counter",
    help: "Stops of services.",
    labels: ["service_name", "status"],
  },
  failedServiceStarts: {
    name: "env_manager_failed_service_starts_total",
    type: "counter",
    help: "Starts of services that failed, by reason.",
    labels: ["service_name", "reason"],
  },
  activeServices: { name: "env_manager_active_services", type: "gauge", help: "Replicas that run and are healthy." },
  serviceProbes: {
    name: "env_manager_service_health_check_duration_seconds",
    type: "histogram",
    help: "How long health checks took.",
    labels: ["service_name", "status"],
    buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  dockerCalls: {
    name: "env_manager_docker_api_duration_seconds",
    type: "histogram",
    help: "How long the container engine took.",
    labels: ["operation", "status"],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
} as const satisfies MetricDeclarations;
