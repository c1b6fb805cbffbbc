import { type Contestant, type ContestantName, loadContestant, type Profile } from "./contestant.ts";
import type { Cost } from "./figure.ts";
import { nowMs } from "./measure.ts";
import { connectPg, type PgClient } from "./peer.ts";
import { type Role, startRole } from "./role.ts";
import type { BenchServer, Counters } from "./server.ts";

/** One contestant on a fresh database, for one measurement. */
export interface Bench {
  url: string;
  contestant: ContestantName;
  spawn(role: "producer" | "worker"): Promise<Role>;
  /** Statistics are fresh, and neither autovacuum nor a checkpoint is due. */
  settle(): Promise<void>;
  /** How many jobs are not durably completed. */
  open(): Promise<number>;
  /** When every job was durably completed; the store is asked every so many milliseconds. */
  untilEmpty(limitMs: number, everyMs?: number): Promise<number>;
  counters(): Promise<Counters>;
}

/** Prepares a fresh database, runs the measurement on it, and ends every process that it started. */
export async function withBench<Result>(
  { server, contestant, profile }: { server: BenchServer; contestant: ContestantName; profile: Profile },
  measure: (bench: Bench) => Promise<Result>,
): Promise<Result> {
  const url = await server.freshDatabase(`bench_${contestant.replaceAll("-", "_")}`);
  const store: Contestant = await loadContestant(contestant);
  await store.prepare(url, profile);
  const probe: PgClient = await connectPg(url);
  const roles: Role[] = [];
  const open = async () => Number((await probe.query({ name: "open", text: store.open })).rows[0]?.["open"]);
  try {
    return await measure({
      url,
      contestant,
      async spawn(role) {
        const started = await startRole({ contestant, role, url, profile });
        roles.push(started);
        return started;
      },
      settle: () => server.settle(url),
      open,
      async untilEmpty(limitMs, everyMs = 3) {
        for (const end = nowMs() + limitMs; nowMs() < end;) {
          const left = await open();
          if (left === 0) return nowMs();
          await new Promise((resolve) => setTimeout(resolve, left > 2000 ? 50 : everyMs));
        }
        throw new Error(`${contestant}: still ${await open()} jobs open after ${limitMs} ms`);
      },
      counters: () => server.counters(),
    });
  } finally {
    await Promise.all(roles.map((role) => role.end()));
    await probe.end();
  }
}

/** What the time between two readings cost per job. */
export function costPerJob(before: Counters, after: Counters, clientCpuMicros: number, jobs: number): Cost {
  return {
    postgresCpuMicros: (after.cpuMicros - before.cpuMicros) / jobs,
    clientCpuMicros: clientCpuMicros / jobs,
    walBytes: (after.walBytes - before.walBytes) / jobs,
    transactions: (after.transactions - before.transactions) / jobs,
  };
}
