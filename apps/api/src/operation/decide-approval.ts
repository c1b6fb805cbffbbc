import { loadWaiting } from "@drover/db/query/advance";
import { signalRun, tellRun } from "@drover/db/query/run-steer";
import { getVersion } from "@drover/db/query/workflow";
import { DroverError } from "@drover/domain/error";
import { graphAt } from "@drover/domain/workflow/graph-index";
import type { Caller, Deps } from "./context.ts";
import { findRun } from "./find-run.ts";
import { runEnded } from "./send-event.ts";

export interface Decision {
  step: string;
  isApproved: boolean;
  approver: string;
  comment: string;
}

/** Decides a step that waits for approval; only who is among its approvers may, where it names any. */
export async function decideApproval(deps: Deps, caller: Caller, id: string, decision: Decision): Promise<void> {
  const run = await findRun(deps, caller, id);
  const version = await getVersion(deps.db, run.version_id);
  const graph = version && graphAt(version.definition, run.body);
  const number = graph?.steps.findIndex((step) => step.id === decision.step) ?? -1;
  const approver = decision.approver === "" ? caller.actor : decision.approver;
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  await deps.db.transaction(async (tx) => {
    const waiting = (await loadWaiting(tx, run.key)).filter(({ step }) => step.number === number);
    const approvers = waiting.flatMap(({ step }) => approversOf(step.data));
    if (waiting.length === 0 || approvers.length < waiting.length) throw notWaiting(id, decision.step, run.state);
    const isAllowed = approvers.every((names) => names.length === 0 || names.includes(approver));
    if (!isAllowed) {
      throw new DroverError(
        "forbidden",
        `Step "${decision.step}" is decided by ${approvers.flat().join(", ")}, not by ${approver}.`,
        {
          hint: "Name one of them as the approver.",
        },
      );
    }
    const data = { ...decision, approver };
    if (!(await signalRun(tx, run.key, "decision", data))) throw runEnded(id, run.state);
    const kind = decision.isApproved ? "run.approved" : "run.rejected";
    await tellRun(tx, { namespaceId, runKey: run.key, kind, actor: caller.actor, data });
  });
  deps.waker.wake("advance");
}

function approversOf(data: Record<string, unknown> | null): string[][] {
  const names = data?.["approvers"];
  return Array.isArray(names) ? [names.map(String)] : [];
}

function notWaiting(id: string, step: string, state: string): DroverError {
  return new DroverError("conflict", `Step "${step}" of run "${id}" waits for no approval; the run is ${state}.`, {
    hint: `See what it waits for with "drover run get ${id}".`,
  });
}
