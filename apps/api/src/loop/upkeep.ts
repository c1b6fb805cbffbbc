import { createLoop } from "@drover/daemon/loop";
import type { Log } from "@drover/daemon/log";
import type { Service } from "@drover/daemon/service";
import { promote, sweep, type SweepReport, turnPartitions } from "@drover/db/query/control";
import type { Deps } from "../operation/context.ts";

export interface LoopOptions {
  deps: Deps;
  log: Log;
  retentionDays: number;
  leaseSeconds: number;
  leaseMarginSeconds: number;
  onSweep: (report: SweepReport) => void;
}

/** What every replica does beside answering; all of it safe on any number of them. */
export function createLoops({
  deps,
  log,
  retentionDays,
  leaseSeconds,
  leaseMarginSeconds,
  onSweep,
}: LoopOptions): Service[] {
  // A pause as long as a lease and its margin counts as an outage, after which nobody is declared lost for a while:
  // the sweeps themselves must not make one.
  const sweepMs = Math.min(5_000, ((leaseSeconds + leaseMarginSeconds) * 1_000) / 3);
  return [
    createLoop({
      name: "sweep",
      intervalMs: sweepMs,
      log,
      async run() {
        const report = await sweep(deps.db);
        if (report === undefined) return;
        onSweep(report);
        // The replicas of lost nodes are to be placed anew.
        if (report.lost > 0) deps.waker.wake("place");
        if (report.lost + report.taken > 0) log.warn(report, "took back what silent holders held");
      },
    }),
    createLoop({
      name: "promote",
      intervalMs: 2_000,
      log,
      async run() {
        // Claims promote what is due as well; this serves the moments in which nobody polls.
        if ((await promote(deps.db, 10_000)) > 0) deps.waker.wake("due");
      },
    }),
    createLoop({
      name: "partitions",
      intervalMs: 6 * 3600 * 1000,
      log,
      async run() {
        const { made, dropped } = await turnPartitions(deps.db, retentionDays);
        if (made.length + dropped.length > 0) log.info({ made, dropped }, "turned partitions");
      },
    }),
  ];
}
