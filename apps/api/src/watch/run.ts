import type { Executor } from "@drover/db/client";
import { runFaces } from "@drover/db/query/run";
import { DroverError } from "@drover/domain/error";

export interface RunWatch {
  /** Yields at once, and whenever a run looks other than before, until the signal aborts or the reader leaves. */
  changes(key: string, signal: AbortSignal): AsyncGenerator<void>;
}

/**
 * One poller for all who watch: while anyone does, the runs that are watched are looked at together, once an interval.
 */
export function createRunWatch({ db, intervalMs = 200 }: { db: Executor; intervalMs?: number }): RunWatch {
  const watchers = new Set<Watcher>();
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    try {
      const faces = await runFaces(db, [...new Set([...watchers].map((watcher) => watcher.key))]);
      const byKey = new Map(faces.map(({ key, face }) => [key, face]));
      for (const watcher of watchers) watcher.show(byKey.get(watcher.key));
    } catch (error) {
      // A database that is away for a moment is no reason to end a stream.
      const isAway = error instanceof DroverError && error.reason === "unavailable";
      if (!isAway) for (const watcher of watchers) watcher.fail(error);
    }
    timer = watchers.size > 0 ? setTimeout(() => void look(), intervalMs) : undefined;
  }

  return {
    async *changes(key, signal) {
      const watcher = createWatcher(key);
      watchers.add(watcher);
      signal.addEventListener("abort", watcher.leave, { once: true });
      if (signal.aborted) watcher.leave();
      timer ??= setTimeout(() => void look(), intervalMs);
      try {
        yield;
        while (await watcher.next()) yield;
      } finally {
        watchers.delete(watcher);
        signal.removeEventListener("abort", watcher.leave);
      }
    },
  };
}

interface Watcher {
  readonly key: string;
  show(face: string | undefined): void;
  fail(error: unknown): void;
  leave: () => void;
  next(): Promise<boolean>;
}

function createWatcher(key: string): Watcher {
  let seen: string | undefined;
  let isChanged = false;
  let hasLeft = false;
  let failure: { error: unknown } | undefined;
  let rouse = () => {};
  return {
    key,
    show(face) {
      if (face === seen) return;
      // Also the first look: the reader may have read before the change that it shows.
      seen = face;
      isChanged = true;
      rouse();
    },
    fail(error) {
      failure = { error };
      rouse();
    },
    leave() {
      hasLeft = true;
      rouse();
    },
    async next() {
      if (!isChanged && !hasLeft && failure === undefined) await new Promise<void>((resolve) => (rouse = resolve));
      if (failure) throw failure.error;
      isChanged = false;
      return !hasLeft;
    },
  };
}
