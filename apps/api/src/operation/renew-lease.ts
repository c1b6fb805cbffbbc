import { renew } from "@drover/db/node/sync";
import { DroverError } from "@drover/domain/error";
import type { Deps } from "./context.ts";
import type { WorkerSession } from "./worker-session.ts";

/** Renews the lease; a session that ran out is `not_found`, one that was taken over a `conflict`. */
export async function renewLease(deps: Deps, session: WorkerSession) {
  const answer = await renew(deps.db, session);
  switch (answer.status) {
    case "superseded":
      throw new DroverError("conflict", "This session is over: another worker registered under its name.", {
        hint: "Stop what it holds; give each worker a name of its own.",
      });
    case "fenced":
      throw new DroverError("not_found", "This session is over: its lease ran out.", {
        hint: "Stop what it holds, then register again.",
      });
    case "ok":
  }
  return answer;
}
