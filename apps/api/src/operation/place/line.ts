import type { Executor } from "@drover/db/client";
import { type PendingCursor, pendingPage, type PendingRow } from "@drover/db/query/placement";

/** The line of tasks that wait for a place, read a page at a time over several rounds. */
export interface Line {
  /** Pages of one round: the front of the line, then on from where the round before stopped. */
  pages(tx: Executor): AsyncGenerator<PendingRow[]>;
}

export interface LineOptions {
  pageSize?: number;
  /** How many tasks a round looks at: what cannot be placed at the front must not keep it from the rest. */
  maxLooked?: number;
}

/** Where a round stopped is remembered only to be fair to a line that is longer than a round; nothing depends on it. */
export function createLine({ pageSize = 1000, maxLooked = 20_000 }: LineOptions = {}): Line {
  let resumeAt: PendingCursor | undefined;
  return {
    async *pages(tx) {
      let after: PendingCursor | undefined;
      for (let looked = 0; looked < maxLooked;) {
        const page = await pendingPage(tx, pageSize, after);
        looked += page.length;
        if (page.length > 0) yield page;
        const last = page.at(-1);
        if (page.length < pageSize || last === undefined) {
          resumeAt = undefined;
          return;
        }
        const end = { sortKey: last.sort_key, taskId: last.task_id };
        after = resumeAt !== undefined && looked === page.length && isBefore(end, resumeAt) ? resumeAt : end;
      }
      resumeAt = after;
    },
  };
}

function isBefore(a: PendingCursor, b: PendingCursor): boolean {
  const [aKey, bKey] = [BigInt(a.sortKey), BigInt(b.sortKey)];
  return aKey === bKey ? BigInt(a.taskId) < BigInt(b.taskId) : aKey < bKey;
}
