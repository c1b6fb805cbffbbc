import { fail, type Failure } from "@drover/db/node/settle";
import type { Deps } from "./context.ts";
import { eachOnce } from "./each-once.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Fails claims; each is retried or ends by its policy. Returns those that were no longer held. */
export function failTasks<Item extends Failure>(deps: Deps, session: WorkerSession, batch: Item[]): Promise<Item[]> {
  return eachOnce(batch, (round) => fail(deps.db, session, round));
}
