import { complete, type Completion } from "@drover/db/node/settle";
import type { Deps } from "./context.ts";
import { eachOnce } from "./each-once.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Completes claims; returns those that were no longer held. */
export function completeTasks<Item extends Completion>(
  deps: Deps,
  session: WorkerSession,
  batch: Item[],
): Promise<Item[]> {
  return eachOnce(batch, (round) => complete(deps.db, session, round));
}
