/** CLOCK_MONOTONIC in milliseconds: comparable between the processes of one machine. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The value that a share of all values (0 to 1) does not pass. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** CPU time of this process so far, in microseconds. */
export function ownCpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Runs `work` with so many callers at once, each awaiting its own call, until `count` calls are made or time is up. */
export async function inFlight(
  callers: number,
  limit: { count?: number; ms?: number },
  work: (index: number) => Promise<unknown>,
): Promise<{ calls: number; ms: number; cpuMicros: number }> {
  const { count = Infinity, ms = 120_000 } = limit;
  const start = nowMs();
  const cpu = ownCpuMicros();
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count && nowMs() - start < ms) await work(next++);
    }),
  );
  return { calls: next, ms: nowMs() - start, cpuMicros: ownCpuMicros() - cpu };
}
