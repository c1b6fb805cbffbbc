import { listStepsOfRuns, type RunRow, type StepRow } from "@drover/db/query/run";
import { compatRunRecord, type CompatRun, type CompatStep } from "@drover/domain/compat-run";
import type { Json } from "@drover/domain/json";
import { formatRunId } from "@drover/domain/run-id";
import { taskKeyTime } from "@drover/domain/task-id";
import { graphAt } from "@drover/domain/workflow/graph-index";
import type { Deps } from "../../../operation/context.ts";
import type { DefinitionCache } from "../../../operation/definition-cache.ts";

const runsAtOnce = 20;

/** Runs as JSON over HTTP, with every step; a few at a time, since what steps gave may be large. */
export async function runRecords(
  { db }: Deps,
  definitions: DefinitionCache,
  rows: readonly RunRow[],
): Promise<{ [key: string]: Json }[]> {
  const records: { [key: string]: Json }[] = [];
  for (let from = 0; from < rows.length; from += runsAtOnce) {
    const some = rows.slice(from, from + runsAtOnce);
    const steps = await listStepsOfRuns(
      db,
      some.map((row) => row.key),
    );
    for (const row of some) {
      const { definition } = await definitions(db, row.version_id);
      const graph = graphAt(definition, row.body) ?? definition;
      records.push(compatRunRecord(compatRun(row), { definition, graph }, (steps.get(row.key) ?? []).map(compatStep)));
    }
  }
  return records;
}

/** A row as the compatible interfaces see it. */
export function compatRun(row: RunRow): CompatRun {
  const { workflow, version, state, error, input, output, idempotency_key: idempotencyKey } = row;
  return {
    id: formatRunId(row.key),
    workflow,
    version,
    state,
    error,
    input,
    output,
    idempotencyKey,
    createdAt: taskKeyTime(BigInt(row.key)),
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}

function compatStep(row: StepRow): CompatStep {
  const { number, state, attempt, output, error } = row;
  const times = { startedAt: row.started_at, finishedAt: row.finished_at };
  return { number, state, attempt, hasTask: row.taskId !== null, output, error, ...times };
}
