import type { Executor } from "@drover/db/client";
import {
  loadHeld,
  loadMemory,
  loadOutputs,
  loadResults,
  loadSteps,
  loadWaiting,
  type StepFacts,
  type TakenRun,
} from "@drover/db/query/advance";
import type { Json } from "@drover/domain/json";
import type { Known, Missing, StepError, StepRow } from "@drover/domain/workflow/advance-question";
import type { Graph } from "@drover/domain/workflow/definition";
import { stepAt } from "@drover/domain/workflow/graph-index";
import { viewOutput } from "@drover/domain/workflow/output";

/** Reads what the engine asks for, and keeps what it has read for the next time the question is put. */
export interface AdvanceReader {
  readonly known: Known;
  load(missing: Missing): Promise<void>;
  /** Notes units that cannot be started. */
  refuse(units: ReadonlyMap<string, StepError>): void;
}

const heldPerStep = 64;

/** A reader for one run under its lock. */
export function createAdvanceReader({ tx, run, graph }: { tx: Executor; run: TakenRun; graph: Graph }): AdvanceReader {
  const steps = new Map<number, StepRow | null>();
  const outputs = new Map<number, Json>();
  const results = new Map<string, Json>();
  const memory = new Map<string, Record<string, Json>>();
  const refused = new Map<string, StepError>();
  const known: Known & { held?: StepRow[]; waiting?: StepRow[] } = { steps, outputs, results, memory, refused };
  return {
    known,
    refuse(units) {
      for (const [key, error] of units) refused.set(key, error);
    },
    async load(missing) {
      if (missing.steps.size > 0) {
        for (const number of missing.steps) steps.set(number, null);
        const rows = await loadSteps(tx, run.run_id, [...missing.steps]);
        for (const { step } of rows) steps.set(step.number, asRow(step));
      }
      if (missing.outputs.size > 0) {
        const rows = await loadOutputs(tx, run.run_id, [...missing.outputs]);
        for (const [number, group] of Map.groupBy(rows, (row) => row.number))
          outputs.set(number, outputOf(graph, group));
      }
      if (missing.results.size > 0) {
        for (const id of missing.results) results.set(id, null);
        for (const { id, result } of await loadResults(tx, [...missing.results])) results.set(id, result);
      }
      if (missing.held) known.held = (await loadHeld(tx, run.run_id, heldPerStep)).map(({ step }) => asRow(step));
      if (missing.waiting) known.waiting = (await loadWaiting(tx, run.run_id)).map(({ step }) => asRow(step));
      for (const scope of missing.memory) {
        const entries = await loadMemory(tx, run.run.namespaceId, scope);
        memory.set(scope, Object.fromEntries(entries.map(({ key, value }) => [key, value])));
      }
    },
  };
}

/** A row as the engine sees it; what it remembers was written by the engine itself. */
export function asRow(facts: StepFacts): StepRow {
  return { ...facts, data: facts.data };
}

type OutputRow = Awaited<ReturnType<typeof loadOutputs>>[number];

/** What others see of a step: of a map the list of its items' outputs. */
function outputOf(graph: Graph, rows: OutputRow[]): Json {
  const header = rows.find((row) => row.item === -1);
  const { work, each } = stepAt(graph, header?.number ?? rows[0]?.number ?? 0);
  const view = (row: OutputRow): Json => (row.is_stored ? row.output : viewOutput(work, row.output));
  if (each === undefined || header?.is_stored === true) return header === undefined ? null : view(header);
  return rows.filter((row) => row.item >= 0).map(view);
}
