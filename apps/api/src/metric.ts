import type { MetricDeclarations } from "@drover/daemon/metric";

/** Every metric of the API; the names without prefix are those that existing dashboards and clients read. */
export const metrics = {
  envQueueDepth: { name: "env_queue_depth", type: "gauge", help: "Tasks that are pending or waiting." },
  queueDepth: { name: "queue_depth", type: "gauge", help: "The same as env_queue_depth." },
  gpuWaitSeconds: {
    name: "gpu_wait_seconds",
    type: "gauge",
    help: "How long the task has waited that is first of those of the gpu classes or with GPUs and does not run yet.",
  },
  envErrorRate: {
    name: "env_error_rate",
    type: "gauge",
    help: "Share of the tasks that ended within the last minute and failed, 0 to 1.",
  },
  taskErrorRate: { name: "task_error_rate", type: "gauge", help: "The same as env_error_rate." },
  workflowsTotal: { name: "workflows_total", type: "gauge", help: "Workflows that are stored." },
  runnerGpuTotal: { name: "runner_gpu_total", type: "gauge", help: "GPUs that the nodes that are alive have found." },
  gpuUtilization: {
    name: "drover_gpu_utilization_ratio",
    type: "gauge",
    help: "How busy the GPUs are on average, 0 to 1, as their nodes last measured; 0 where none did.",
  },
  gpuAllocated: {
    name: "drover_gpu_allocated_ratio",
    type: "gauge",
    help: "Share of the GPUs, slices and places on shared GPUs that are given away, 0 to 1.",
  },
  concurrencyLimit: {
    name: "orchestrator_concurrency_limit",
    type: "gauge",
    help: "Tasks that the nodes that are alive could run at once.",
  },
  concurrencyLimitAlias: {
    name: "concurrency_limit",
    type: "gauge",
    help: "The same as orchestrator_concurrency_limit.",
  },
  inflightTasks: { name: "orchestrator_inflight_tasks", type: "gauge", help: "Tasks that are running." },
  taskErrors: {
    name: "orchestrator_task_errors_total",
    type: "counter",
    help: "Tasks that failed for good.",
    labels: ["task"],
  },
  submitted: { name: "queue_tasks_submitted_total", type: "counter", help: "Tasks submitted, over all replicas." },
  processed: { name: "queue_tasks_processed_total", type: "counter", help: "Tasks that ended, over all replicas." },
  completed: { name: "queue_tasks_completed_total", type: "counter", help: "Tasks that completed, over all replicas." },
  events: { name: "events_published_total", type: "counter", help: "Events recorded, over all replicas." },
  slurmSubmitted: { name: "slurm_jobs_submitted_total", type: "counter", help: "Slurm jobs submitted." },
  slurmCompleted: { name: "slurm_jobs_completed_total", type: "counter", help: "Slurm jobs completed." },
  slurmFailed: { name: "slurm_jobs_failed_total", type: "counter", help: "Slurm jobs failed." },
  slurmReconcileErrors: {
    name: "slurm_reconcile_errors_total",
    type: "counter",
    help: "Faults while comparing with Slurm.",
  },
  slurmMonitorErrors: { name: "slurm_monitor_errors_total", type: "counter", help: "Faults while asking Slurm." },
  rpcSeconds: {
    name: "drover_rpc_duration_seconds",
    type: "histogram",
    help: "Calls by service, method and code.",
    labels: ["service", "method", "code"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
  },
  sweepTaken: {
    name: "drover_leases_taken_back_total",
    type: "counter",
    help: "Leases that ended without their holder, found by this process.",
  },
  runsStarted: {
    name: "drover_runs_started_total",
    type: "counter",
    help: "Workflow runs started, without nested ones, over all replicas.",
  },
  runsEnded: {
    name: "drover_runs_ended_total",
    type: "counter",
    help: "Workflow runs that ended, nested ones included, over all replicas.",
    labels: ["state"],
  },
  runsOpen: {
    name: "drover_runs_open",
    type: "gauge",
    help: "Workflow runs that are not final, nested ones included.",
  },
  runsAdvanced: {
    name: "drover_runs_advanced_total",
    type: "counter",
    help: "How often this process advanced a workflow run.",
  },
  limitUse: {
    name: "drover_limit_use_ratio",
    type: "gauge",
    help: "How much of a rate limit is used or held, 0 to 1.",
    labels: ["limit"],
  },
  budgetUse: {
    name: "drover_budget_spent_ratio",
    type: "gauge",
    help: "How much of a named budget is spent in its period, 0 to 1.",
    labels: ["budget", "namespace"],
  },
  callsWaiting: {
    name: "drover_calls_waiting",
    type: "gauge",
    help: "Tasks held back by a rate limit (rate_limited) or by money that others hold (blocked).",
    labels: ["reason"],
  },
  costToday: {
    name: "drover_cost_today_usd",
    type: "gauge",
    help: "What calls of models have cost since midnight UTC; summed up every minute.",
  },
  callsToday: {
    name: "drover_llm_calls_today",
    type: "gauge",
    help: "Calls of models that were made since midnight UTC; summed up every minute.",
  },
  tokensToday: {
    name: "drover_llm_tokens_today",
    type: "gauge",
    help: "Tokens of input and output since midnight UTC; summed up every minute.",
  },
  gpuSecondsToday: {
    name: "drover_gpu_seconds_today",
    type: "gauge",
    help: "Time of GPUs whose leases ended since midnight UTC; summed up every minute.",
  },
  liveHolders: { name: "drover_live_holders", type: "gauge", help: "Agents and workers with a live lease." },
} as const satisfies MetricDeclarations;
