import type { Executor } from "@drover/db/client";
import type { Metrics } from "@drover/daemon/metric";
import type { metrics } from "./metric.ts";

export interface CollectMetricsOptions {
  db: Executor;
  handles: Metrics<typeof metrics>["handles"];
}

/** Sets what is only known by asking the database. */
export async function collectMetrics(_options: CollectMetricsOptions): Promise<void> {}
