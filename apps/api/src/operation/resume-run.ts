import { newRunKey } from "@drover/db/query/run-start";
import { listSteps } from "@drover/db/query/run";
import { reopenRun, tellRun } from "@drover/db/query/run-steer";
import { getVersion } from "@drover/db/query/workflow";
import { DroverError } from "@drover/domain/error";
import { findSimilar } from "@drover/domain/similar";
import { isFinalRun } from "@drover/domain/workflow/lifecycle";
import { graphAt } from "@drover/domain/workflow/graph-index";
import { stepsToReset } from "@drover/domain/workflow/reset";
import type { Caller, Deps } from "./context.ts";
import { findRun } from "./find-run.ts";

/** Takes up a run that has ended, from what did not complete or from a step on; how many steps may run again. */
export async function resumeRun(deps: Deps, caller: Caller, id: string, fromStep: string): Promise<number> {
  const run = await findRun(deps, caller, id);
  if (run.parent_run_id !== null) {
    throw new DroverError("conflict", `Run "${id}" is nested in another one, which has gone on without it.`, {
      hint: "Resume the outermost run.",
    });
  }
  if (!isFinalRun(run.state)) throw stillOpen(id, run.state);
  const definition = (await getVersion(deps.db, run.version_id))?.definition;
  const graph = definition && graphAt(definition, run.body);
  if (definition === undefined || graph === undefined) throw new Error(`run ${id} has no version`);
  const number = fromStep === "" ? undefined : graph.steps.findIndex((step) => step.id === fromStep);
  if (number === -1) {
    const similar = findSimilar(
      fromStep,
      graph.steps.map((step) => step.id),
    );
    throw new DroverError("invalid", `Expected a step of workflow "${run.workflow}" to run from, got "${fromStep}".`, {
      hint: similar === undefined ? `See its steps with "drover run get ${id}".` : `Did you mean "${similar}"?`,
      fields: [{ field: "from_step", message: "is not a step of the workflow" }],
    });
  }
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const count = await deps.db.transaction(async (tx) => {
    const rows = await listSteps(tx, run.key, { items: false, limit: graph.steps.length, outputs: false });
    const reset = stepsToReset(graph, rows, number);
    const unreached = graph.steps.length - rows.length;
    if (reset.length === 0 && unreached === 0) {
      throw new DroverError("conflict", `Every step of run "${id}" completed; there is nothing to resume.`, {
        hint: "Name the step to run from again.",
      });
    }
    const { nowMs } = await newRunKey(tx);
    const deadlineMs = definition.timeoutSeconds === undefined ? undefined : nowMs + definition.timeoutSeconds * 1000;
    if (!(await reopenRun(tx, run.key, reset, deadlineMs))) throw stillOpen(id, "running");
    const data = { from_step: fromStep, steps: reset.map((one) => graph.steps[one]?.id ?? "") };
    await tellRun(tx, { namespaceId, runKey: run.key, kind: "run.resumed", actor: caller.actor, data });
    return reset.length + unreached;
  });
  deps.waker.wake("advance");
  return count;
}

function stillOpen(id: string, state: string): DroverError {
  return new DroverError("conflict", `Expected a run that has ended, got run "${id}", which is ${state}.`, {
    hint: `Wait for it, or cancel it with "drover workflow cancel ${id}".`,
  });
}
