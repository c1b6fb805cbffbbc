import { type Clock, systemClock } from "@drover/daemon/clock";
import type { HealthCheck } from "@drover/domain/environment/declaration";
import type { Health } from "@drover/domain/environment/replica-memory";
import type { ProbeAnswer, ProbeTarget } from "./probe/probe.ts";

export interface Watched extends ProbeTarget {
  check: HealthCheck;
  /** For the metrics. */
  service: string;
}

export interface ProberOptions {
  probe: (target: ProbeTarget, check: HealthCheck, timeoutMs: number) => Promise<ProbeAnswer>;
  /** The health of a run is another than before. */
  onChange: (run: string) => void;
  onProbed?: (service: string, isHealthy: boolean, seconds: number) => void;
  clock?: Clock;
  random?: () => number;
}

export interface Prober {
  /** What is to be probed from now on, by run: new ones begin at once, what is not among them ends. */
  watch(runs: ReadonlyMap<string, Watched>): void;
  readonly health: ReadonlyMap<string, Health>;
  stop(): void;
}

const firstWaitMs = 50;
const longestFirstWaitMs = 1000;
// While a network forms, packets get lost, and a connection that is begun then waits a second for its next try.
const firstTimeoutMs = 250;

/**
 * Probes what runs: often until the first success, so that nobody waits for a service that is up, then once an interval
 * with a little chance in it, so that not everything is probed at once.
 */
export function createProber({
  probe,
  onChange,
  onProbed = () => {},
  clock = systemClock,
  random = Math.random,
}: ProberOptions): Prober {
  const watched = new Map<string, Watched & { cancel: () => void }>();
  const health = new Map<string, Health>();

  async function once(run: string, waitMs: number): Promise<void> {
    const target = watched.get(run);
    if (target === undefined) return;
    const startedAt = clock.now();
    const isStarting = health.get(run)?.hasBeenHealthy !== true && target.check.probe.kind !== "command";
    const patienceMs = isStarting ? firstTimeoutMs * (waitMs / firstWaitMs) : Number.POSITIVE_INFINITY;
    const timeoutMs = Math.min(target.check.timeoutSeconds * 1000, patienceMs);
    const { isHealthy, message } = await probe(target, target.check, timeoutMs);
    if (watched.get(run) !== target) return;
    onProbed(target.service, isHealthy, (clock.now() - startedAt) / 1000);
    const before = health.get(run);
    const now: Health = {
      isHealthy,
      hasBeenHealthy: isHealthy || before?.hasBeenHealthy === true,
      failuresInRow: isHealthy ? 0 : (before?.failuresInRow ?? 0) + 1,
      message,
    };
    health.set(run, now);
    const nextMs = now.hasBeenHealthy
      ? target.check.intervalSeconds * 1000 * (0.9 + 0.2 * random())
      : Math.min(waitMs, longestFirstWaitMs, target.check.intervalSeconds * 1000);
    target.cancel = clock.after(nextMs, () => void once(run, waitMs * 2));
    // Before the first success the count of failures decides nothing.
    const isCounted = !isHealthy && now.hasBeenHealthy;
    const isNews = before?.isHealthy !== isHealthy || before.message !== message || isCounted;
    if (isNews) onChange(run);
  }

  const forget = (run: string) => {
    watched.get(run)?.cancel();
    watched.delete(run);
    health.delete(run);
  };

  return {
    watch(runs) {
      for (const run of watched.keys()) if (!runs.has(run)) forget(run);
      for (const [run, target] of runs) {
        const before = watched.get(run);
        if (before !== undefined) {
          // A check is no part of what a container is made from: it may change while it runs.
          before.check = target.check;
          before.inspection = target.inspection;
          continue;
        }
        watched.set(run, { ...target, cancel: () => {} });
        void once(run, firstWaitMs);
      }
    },
    health,
    stop() {
      for (const run of watched.keys()) forget(run);
    },
  };
}
