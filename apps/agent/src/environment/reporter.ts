import { backoffMs } from "@drover/daemon/backoff";
import { type Clock, systemClock } from "@drover/daemon/clock";
import type { Log } from "@drover/daemon/log";
import type { ReplicaReport } from "@drover/db/node/replica";

export interface ReporterOptions {
  /** Of the node protocol; false: a newer life of this node has taken over. */
  send: (reports: readonly ReplicaReport[]) => Promise<boolean>;
  log: Log;
  /** So long further changes are waited for. */
  gatherMs?: number;
  /** Everything is told again so often, whatever got lost. */
  everythingMs?: number;
  clock?: Clock;
}

export interface Reporter {
  /** What is so now: replicas that are not among it are forgotten. Only what is another than before is told. */
  put(reports: readonly ReplicaReport[]): void;
  /** This node registered: everything has to be told again. */
  registered(): void;
  stop(): void;
}

const maxReports = 500;

/** Tells the control plane what became of replicas: in batches, only what changed, and again until it was heard. */
export function createReporter({
  send,
  log,
  gatherMs = 20,
  everythingMs = 60_000,
  clock = systemClock,
}: ReporterOptions): Reporter {
  const now = new Map<string, { report: ReplicaReport; text: string }>();
  const told = new Map<string, string>();
  let cancel: (() => void) | undefined;
  let isSending = false;
  let isStopped = false;
  let isRegistered = false;
  let failures = 0;

  const arm = (waitMs: number) => {
    if (cancel !== undefined || isSending || isStopped || !isRegistered) return;
    cancel = clock.after(waitMs, () => void flush());
  };
  const open = () => [...now].filter(([id, { text }]) => told.get(id) !== text);

  async function flush(): Promise<void> {
    cancel = undefined;
    const batch = open().slice(0, maxReports);
    if (batch.length === 0) return;
    isSending = true;
    try {
      // One that is superseded is told so by its lease, and reports again once it has registered anew.
      isRegistered = await send(batch.map(([, { report }]) => report));
      if (isRegistered) for (const [id, { text }] of batch) told.set(id, text);
      if (failures > 0) log.info({ failures }, "reports of replicas get through again");
      failures = 0;
    } catch (error) {
      failures += 1;
      log.warn({ error, failures }, "what became of replicas could not be told; trying again");
    }
    isSending = false;
    if (open().length > 0) arm(failures > 0 ? backoffMs(failures, { baseMs: 100, capMs: 5000 }) : gatherMs);
  }

  const tellAll = () => {
    told.clear();
    if (now.size > 0) arm(gatherMs);
  };
  const repeat = () => {
    cancelRepeat = clock.after(everythingMs, () => {
      tellAll();
      repeat();
    });
  };
  let cancelRepeat = () => {};
  repeat();

  return {
    put(reports) {
      const ids = new Set(reports.map(({ replicaId }) => replicaId));
      for (const id of now.keys()) {
        if (ids.has(id)) continue;
        now.delete(id);
        told.delete(id);
      }
      for (const report of reports) now.set(report.replicaId, { report, text: JSON.stringify(report) });
      if (open().length > 0) arm(gatherMs);
    },
    registered() {
      isRegistered = true;
      tellAll();
    },
    stop() {
      isStopped = true;
      cancel?.();
      cancelRepeat();
    },
  };
}
