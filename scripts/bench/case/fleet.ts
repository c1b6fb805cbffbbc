import { setTimeout as pause } from "node:timers/promises";
import { openDatabase } from "../../../db/client.ts";
import { createSimulatedFleet } from "../fleet.ts";
import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs } from "../measure.ts";
import { startApi } from "../program.ts";

const steadyMs = 30_000;
/** One interval between two syncs of a fleet of 1,000. */
const intervalMs = 5000;

/**
 * Agents that have nothing to run, all in this process, which speak the node protocol as real ones do and come back
 * when the control plane says: what they cost Postgres while they live, and when all of them are started anew at once.
 */
export async function fleet(bench: Bench, { agents }: { agents: number }): Promise<Figure[]> {
  const figure = (metric: string, value: number, unit: string, note?: string): Figure => ({
    metric: `fleet of ${agents}: ${metric}`,
    contestant: bench.contestant,
    value,
    unit,
    ...(note !== undefined && { note }),
  });
  const api = await startApi(bench.url);
  // As behind a pooler: a thousand agents of their own would hold a thousand connections.
  const db = openDatabase({ url: bench.url, maxConnections: 32, applicationName: "fleet" });
  const simulated = createSimulatedFleet({ db, agents });
  const watch = async (work: () => Promise<unknown>) => {
    const before = await bench.counters();
    const [from, syncs] = [nowMs(), simulated.syncs];
    await work();
    const after = await bench.counters();
    const ms = nowMs() - from;
    return { ms, core: (after.cpuMicros - before.cpuMicros) / ms / 10, rate: ((simulated.syncs - syncs) / ms) * 1000 };
  };
  try {
    await simulated.start();
    await simulated.allSynced(120_000);
    // The next count of live holders sets the pace, and whoever came sooner has to come once more to hear of it.
    await pause(20_000);
    await bench.settle();
    const steady = await watch(() => pause(steadyMs));
    await simulated.stop();
    let burst = { ms: 0, core: 0 };
    const interval = await watch(async () => {
      const rest = pause(intervalMs);
      burst = await watch(async () => {
        await simulated.start();
        await simulated.allSynced(120_000);
      });
      await rest;
    });
    return [
      figure("Postgres, steady, of one core", steady.core, "%"),
      figure("syncs, steady", steady.rate, "/s"),
      figure("all restarted at once, until each has synced", burst.ms / 1000, "s"),
      figure("Postgres until then, of one core", burst.core, "%"),
      figure("Postgres in the interval of a restart, of one core", interval.core, "%", `${Math.round(interval.ms)} ms`),
      figure("failed calls", simulated.errors, ""),
    ];
  } finally {
    await simulated.stop();
    await db.close({ timeoutSeconds: 5 });
    await api.end();
  }
}
