import { getTasks, type TaskRow } from "@drover/db/query/task";
import type { Executor } from "@drover/db/client";
import { DroverError } from "@drover/domain/error";
import { isFinal } from "@drover/domain/task";

export interface TaskWatch {
  /** Each task now, then once per change, until all are final or the signal aborts. */
  follow(namespaceId: number, keys: readonly string[], signal: AbortSignal): AsyncGenerator<TaskRow>;
}

export interface TaskWatchOptions {
  db: Executor;
  intervalMs?: number;
}

/**
 * One poller for all who watch: while anyone does, the tasks that are not final yet are looked at together, once an
 * interval. Nobody watching costs nothing, and a thousand who watch one task cost one row.
 */
export function createTaskWatch({ db, intervalMs = 150 }: TaskWatchOptions): TaskWatch {
  const followers = new Set<Follower>();
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    const byNamespace = Map.groupBy(followers, (follower) => follower.namespaceId);
    await Promise.all(
      [...byNamespace].map(async ([namespaceId, group]) => {
        const keys = [...new Set(group.flatMap((follower) => [...follower.open]))];
        try {
          const rows = keys.length === 0 ? [] : await getTasks(db, namespaceId, keys);
          for (const follower of group) follower.show(rows);
        } catch (error) {
          // A database that is away for a moment is no reason to end a stream.
          if (error instanceof DroverError && error.reason === "unavailable") return;
          for (const follower of group) follower.fail(error);
        }
      }),
    );
    if (followers.size > 0) timer = setTimeout(() => void look(), intervalMs);
    else timer = undefined;
  }

  return {
    async *follow(namespaceId, keys, signal) {
      const follower = createFollower(namespaceId, keys);
      const leave = () => follower.leave();
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) follower.leave();
      follower.show(await getTasks(db, namespaceId, keys));
      followers.add(follower);
      timer ??= setTimeout(() => void look(), intervalMs);
      try {
        for (;;) {
          const rows = await follower.next();
          if (rows === undefined) return;
          yield* rows;
        }
      } finally {
        followers.delete(follower);
        signal.removeEventListener("abort", leave);
      }
    },
  };
}

interface Follower {
  readonly namespaceId: number;
  /** Keys that are not final yet. */
  readonly open: Set<string>;
  show(rows: TaskRow[]): void;
  fail(error: unknown): void;
  leave(): void;
  next(): Promise<TaskRow[] | undefined>;
}

function createFollower(namespaceId: number, keys: readonly string[]): Follower {
  const open = new Set(keys);
  const seen = new Map<string, string>();
  let changed: TaskRow[] = [];
  let failure: { error: unknown } | undefined;
  let hasLeft = false;
  let rouse = () => {};
  return {
    namespaceId,
    open,
    show(rows) {
      for (const row of rows) {
        const face = `${row.state} ${row.attempt} ${row.cancel_requested} ${row.waiting_until?.getTime()}`;
        if (!open.has(row.key) || seen.get(row.key) === face) continue;
        seen.set(row.key, face);
        changed.push(row);
        if (isFinal(row.state)) open.delete(row.key);
      }
      if (changed.length > 0 || open.size === 0) rouse();
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
      if (changed.length === 0 && open.size > 0 && !hasLeft && failure === undefined) {
        await new Promise<void>((resolve) => (rouse = resolve));
      }
      if (failure) throw failure.error;
      const rows = changed;
      changed = [];
      return rows.length > 0 && !hasLeft ? rows : undefined;
    },
  };
}
