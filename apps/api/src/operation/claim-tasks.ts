import { claim, type WorkerClaim } from "@drover/db/node/sync";
import type { Deps } from "./context.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Up to `limit` tasks, at once. */
export function claimTasks(deps: Deps, session: WorkerSession, limit: number): Promise<WorkerClaim[]> {
  return claim(deps.db, session, limit);
}
