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
} as const satisfies MetricDeclarations;
