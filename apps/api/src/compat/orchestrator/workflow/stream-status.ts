import type { MessageInitShape } from "@bufbuild/protobuf";
import { getRun, listRunningSteps, type RunRow } from "@drover/db/query/run";
import { compatRunError, compatRunOutput, compatRunStatus } from "@drover/domain/compat-run";
import { DroverError } from "@drover/domain/error";
import { parseRunId } from "@drover/domain/run-id";
import { graphAt, stepAt } from "@drover/domain/workflow/graph-index";
import { isFinalRun } from "@drover/domain/workflow/lifecycle";
import type { WorkflowStatusUpdateSchema } from "@drover/proto/orchestrator/orchestrator";
import type { Deps } from "../../../operation/context.ts";
import type { DefinitionCache } from "../../../operation/definition-cache.ts";
import type { RunWatch } from "../../../watch/run.ts";
import { patiently } from "../patiently.ts";
import { compatRun } from "./run-view.ts";

export interface StreamStatusOptions {
  deps: Deps;
  definitions: DefinitionCache;
  runWatch: RunWatch;
  namespaceId: number;
  id: string;
  signal: AbortSignal;
}

type StatusInit = MessageInitShape<typeof WorkflowStatusUpdateSchema>;

const maxNamed = 20;

/** A run now, then once per change that these clients can see, until it is over. */
export async function* streamStatus(options: StreamStatusOptions): AsyncGenerator<StatusInit> {
  const { deps, runWatch, namespaceId, signal } = options;
  const key = parseRunId(options.id);
  const row = key === undefined ? undefined : await getRun(deps.db, namespaceId, key);
  if (key === undefined || row === undefined) throw new DroverError("not_found", "run not found");
  let told = "";
  for await (const _ of runWatch.changes(key, signal)) {
    const now = await patiently(signal, () => getRun(deps.db, namespaceId, key));
    // Retention may take a run while it is watched.
    if (now === undefined) return;
    const message = await patiently(signal, () => statusOf(options, now));
    const face = JSON.stringify(message);
    if (face !== told) yield message;
    told = face;
    if (isFinalRun(now.state)) return;
  }
}

async function statusOf({ deps: { db }, definitions }: StreamStatusOptions, row: RunRow) {
  const run = compatRun(row);
  const isOver = isFinalRun(row.state);
  return {
    runId: run.id,
    status: compatRunStatus(row.state),
    currentStep: isOver ? "" : await runningSteps(),
    stepsCompleted: row.completed,
    totalSteps: row.steps_total,
    output: isOver ? compatRunOutput(row.output) : {},
    error: compatRunError(run),
  } satisfies StatusInit;

  async function runningSteps(): Promise<string> {
    const { definition } = await definitions(db, row.version_id);
    const graph = graphAt(definition, row.body) ?? definition;
    const numbers = await listRunningSteps(db, row.key, maxNamed);
    return numbers.map((number) => stepAt(graph, number).id).join(", ");
  }
}
