import { sql } from "drizzle-orm";
import type { Executor } from "./client.ts";
import { channel } from "./listen.ts";

export interface Waker {
  /** Says that something may be worth a look: `class:<name>` or `holder:<id>`. Never fails, never waits. */
  wake(hint: string): void;
}

/** A waker whose hints may also travel inside the statements that cause them. */
export interface CarriedWaker extends Waker {
  /**
   * Whether a statement may carry hints of its own, to leave with its commit: once per interval. If not, they are for
   * `wake`, when the statement is through.
   */
  take(): boolean;
}

/** For those who poll: sends nothing. */
export const silentWaker: CarriedWaker = { wake: () => {}, take: () => false };

/**
 * Sends hints in a statement of their own, outside the transactions that cause them (commits that notify go one after
 * the other): the first at once, then at most one statement per interval with every hint that gathered meanwhile.
 */
export function createWaker({ db, intervalMs = 10 }: { db: Executor; intervalMs?: number }): CarriedWaker {
  const gathered = new Set<string>();
  let isResting = false;
  const send = () => {
    if (gathered.size === 0) {
      isResting = false;
      return;
    }
    isResting = true;
    const hints = [...gathered];
    gathered.clear();
    // A hint that is lost costs a moment: whoever waits for one also polls.
    db.run(sql`select pg_notify(${channel}, hint) from unnest(${sql.param(hints)}::text[]) as hint`).catch(() => {});
    setTimeout(send, intervalMs).unref();
  };
  return {
    take() {
      if (isResting) return false;
      isResting = true;
      setTimeout(send, intervalMs).unref();
      return true;
    },
    wake(hint) {
      gathered.add(hint);
      if (!isResting) send();
    },
  };
}
