import { leave } from "@drover/db/node/register";
import type { Deps } from "./context.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Ends a worker's life; what it still holds goes back to its queues. */
export async function deregisterWorker(deps: Deps, session: WorkerSession): Promise<void> {
  await leave(deps.db, session.holderId, session.epoch);
}
