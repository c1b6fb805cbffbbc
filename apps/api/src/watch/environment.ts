import type { Wakeups } from "@drover/db/listen";
import { createBell } from "./bell.ts";

export interface EnvironmentWatchOptions {
  wakeups: Wakeups;
  environmentId: number;
  signal: AbortSignal;
  /** The longest wait: what nobody hints at, such as a pull's progress or a node that falls silent, is seen so late. */
  restMs?: number;
  /** The shortest: replicas that change in crowds are looked at together. */
  gapMs?: number;
}

/** Yields at once, and whenever an environment may look other than before, until the signal aborts or the reader leaves. */
export async function* watchEnvironment({
  wakeups,
  environmentId,
  signal,
  restMs = 1000,
  gapMs = 50,
}: EnvironmentWatchOptions): AsyncGenerator<void> {
  const bell = createBell({ wakeups, hints: [`environment:${environmentId}`], signal });
  const gap = createBell({ wakeups, hints: [], signal });
  try {
    while (!signal.aborted) {
      yield;
      await gap.wait(gapMs);
      await bell.wait(restMs);
    }
  } finally {
    bell.close();
    gap.close();
  }
}
