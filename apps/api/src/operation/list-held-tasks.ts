import { held } from "@drover/db/node/register";
import type { Deps } from "./context.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Every claim of a session. */
export function listHeldTasks(deps: Deps, session: WorkerSession): Promise<{ taskKey: string; fence: string }[]> {
  return held(deps.db, session.holderId);
}
