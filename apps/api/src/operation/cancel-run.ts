import { signalRun, tellRun } from "@drover/db/query/run-steer";
import type { RunState } from "@drover/domain/workflow/lifecycle";
import type { Caller, Deps } from "./context.ts";
import { findRun } from "./find-run.ts";

/** Asks for the end of a run: nothing further is started, and what runs is stopped. The state that it has until then. */
export async function cancelRun(deps: Deps, caller: Caller, id: string, reason: string): Promise<RunState> {
  const run = await findRun(deps, caller, id);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const text = reason === "" ? `Cancelled by ${caller.actor}.` : reason;
  const isOpen = await deps.db.transaction(async (tx) => {
    if (!(await signalRun(tx, run.key, "cancel", { reason: text }))) return false;
    await tellRun(tx, {
      namespaceId,
      runKey: run.key,
      kind: "run.cancel_requested",
      actor: caller.actor,
      data: { reason: text },
    });
    return true;
  });
  if (!isOpen) return (await findRun(deps, caller, id)).state;
  deps.waker.wake("advance");
  return "running";
}
