import { findKeyedRun } from "@drover/db/query/run";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { isLargerThan, maxValueBytes } from "@drover/domain/workflow/size";
import type { Caller, Deps } from "./context.ts";
import { compatWorkflowNotFound, isCompatWorkflowId } from "./save-compat-workflow.ts";
import { startRun } from "./start-run.ts";

export interface CompatRunDraft {
  workflow: string;
  input: Json;
  /** Blank: every start is a new run. */
  idempotencyKey: string;
}

/** Starts a run, or finds the one that the key was first used for, whatever its input was; answers the run's key. */
export async function startCompatRun(deps: Deps, caller: Caller, draft: CompatRunDraft): Promise<string> {
  const { workflow, input } = draft;
  const key = checkKey(draft.idempotencyKey.trim());
  if (!isCompatWorkflowId(workflow)) throw compatWorkflowNotFound();
  if (isLargerThan(input, maxValueBytes)) {
    throw new DroverError("invalid", `input: expected at most ${maxValueBytes} bytes of JSON, got more.`);
  }
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const find = async () => (key === "" ? undefined : findKeyedRun(deps.db, namespaceId, workflow, key));
  const known = await find();
  if (known !== undefined) return known;
  try {
    const { runId } = await deps.db.transaction((tx) =>
      startRun(deps, tx, caller, { workflow, input, ...(key !== "" && { idempotencyKey: key }) }),
    );
    deps.waker.wake("advance");
    return runId;
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    if (error.reason === "not_found") throw compatWorkflowNotFound();
    // Another call with the key and another input came between.
    const winner = error.reason === "conflict" ? await find() : undefined;
    if (winner === undefined) throw error;
    return winner;
  }
}

function checkKey(key: string): string {
  if (key.length <= 200 && !key.includes("\0") && key.isWellFormed()) return key;
  throw new DroverError(
    "invalid",
    "idempotency_key: expected at most 200 characters without NUL and broken surrogates.",
  );
}
