import type { Executor } from "@drover/db/client";
import { bindRunKey, insertRuns, newRunKey, tellStarted } from "@drover/db/query/run-start";
import { findVersion } from "@drover/db/query/workflow";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { findSimilar } from "@drover/domain/similar";
import type { Definition } from "@drover/domain/workflow/definition";
import { stepBudgets } from "@drover/domain/workflow/step-budget";
import { validateJson, withDefaults } from "@drover/workflow/validate";
import type { Caller, Deps } from "./context.ts";
import { hashValue } from "./request-hash.ts";

export interface RunDraft {
  workflow: string;
  version?: number;
  input: Json;
  idempotencyKey?: string;
  labels?: Record<string, string>;
}

/** Starts a run in the caller's transaction; whoever commits it then wakes the advance. */
export async function startRun(
  deps: Pick<Deps, "directory">,
  tx: Executor,
  caller: Caller,
  draft: RunDraft,
): Promise<{ runId: string; created: boolean }> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const row = await findVersion(tx, namespaceId, draft.workflow, draft.version);
  if (row === undefined) throw workflowNotFound(draft.workflow, draft.version);
  const { definition } = row;
  const input = checkInput(definition, draft.input);
  const { id, nowMs } = await newRunKey(tx);
  if (draft.idempotencyKey !== undefined) {
    const requestHash = hashValue({ input: draft.input, labels: draft.labels ?? {} });
    const bound = await bindRunKey(tx, {
      workflowId: row.workflow_id,
      key: draft.idempotencyKey,
      runId: id,
      requestHash,
    });
    if (bound.run_id !== id) {
      if (bound.is_same) return { runId: bound.run_id, created: false };
      throw new DroverError(
        "conflict",
        `Idempotency key "${draft.idempotencyKey}" was used before with another input.`,
        {
          hint: "Repeat a start with exactly the same input, or choose a new key for a new run.",
        },
      );
    }
  }
  await insertRuns(tx, [
    {
      id,
      namespace_id: namespaceId,
      workflow_id: row.workflow_id,
      version_id: row.version_id,
      root_run_id: id,
      input,
      idempotency_key: draft.idempotencyKey,
      labels: draft.labels,
      actor: caller.actor,
      deadline_ms: definition.timeoutSeconds === undefined ? undefined : nowMs + definition.timeoutSeconds * 1000,
      steps_total: definition.steps.length,
      fields: initialFields(definition, input),
      budget_nanos: definition.budgetNanos,
      step_budgets: stepBudgets(definition),
    },
  ]);
  await tellStarted(tx, namespaceId, caller.actor, [{ id, workflow: row.name }]);
  return { runId: id, created: true };
}

/** The input of a run, checked against the workflow's schema and with its defaults filled in. */
export function checkInput(definition: Definition, given: Json): Json {
  if (definition.input === undefined) return given;
  const input = withDefaults(definition.input, given);
  const faults = validateJson(definition.input, input);
  if (faults.length === 0) return input;
  throw new DroverError(
    "invalid",
    `The input does not fit workflow "${definition.name}": ${faults.map((fault) => fault.replace(/\.$/, "")).join("; ")}.`,
    {
      fields: faults.map((message) => ({ field: "input", message })),
      hint: `See what it expects with "drover workflow get ${definition.name}".`,
    },
  );
}

/** Values of the state fields at the start: those of the input, then the defaults. */
export function initialFields(definition: Definition, input: Json): Record<string, Json> | undefined {
  if (definition.state === undefined) return undefined;
  const given = input !== null && typeof input === "object" && !Array.isArray(input) ? input : {};
  return Object.fromEntries(
    Object.entries(definition.state).map(([name, field]) => {
      const value = Object.hasOwn(given, name) ? given[name] : field.default;
      return [name, value ?? (field.merge === "append" ? [] : null)];
    }),
  );
}

/** The error for a workflow or version that is not there. */
export function workflowNotFound(name: string, version?: number, known: readonly string[] = []): DroverError {
  const similar = findSimilar(name, known);
  const what = version === undefined ? `Workflow "${name}"` : `Version ${version} of workflow "${name}"`;
  return new DroverError("not_found", `${what} does not exist.`, {
    hint: similar === undefined ? 'List the workflows with "drover workflow list".' : `Did you mean "${similar}"?`,
  });
}
