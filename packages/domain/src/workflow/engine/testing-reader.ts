import type { Json } from "../../json.ts";
import type { Known, Missing, StepRow } from "./advance-question.ts";
import { stepAt } from "../graph-index.ts";
import { viewOutput } from "../output.ts";
import { rowKey } from "./sheet.ts";
import type { SimRow, SimRun, SimTask } from "./testing-store.ts";

/** What the engine has cost: how often it was asked, what was read for it, and what it looked up in that. */
export interface Reads {
  advances: number;
  questions: number;
  rows: number;
  lookups: number;
}

/** Reads exactly what the engine asks for, by the rules of the database. */
export function createReader({
  run,
  runs,
  tasks,
  memory,
  heldSteps,
  heldPerStep,
  reads,
  isGenerous,
}: {
  run: SimRun;
  runs: ReadonlyMap<string, SimRun>;
  tasks: ReadonlyMap<string, SimTask>;
  memory: ReadonlyMap<string, Record<string, Json>>;
  heldSteps: number;
  heldPerStep: number;
  reads: Reads;
  isGenerous: boolean;
}): { known: Omit<Known, "refused">; load(missing: Missing): void } {
  const steps = new CountedMap<number, StepRow | null>(reads);
  const outputs = new CountedMap<number, Json>(reads);
  const results = new CountedMap<string, Json>(reads);
  const scopes = new Map<string, Record<string, Json>>();
  const known: Omit<Known, "refused"> & { held?: StepRow[]; waiting?: StepRow[] } = {
    steps,
    outputs,
    results,
    memory: scopes,
  };
  const load = (missing: Missing) => {
    for (const number of missing.steps) steps.set(number, bare(run.rows.get(rowKey(number, -1))));
    for (const number of missing.outputs) outputs.set(number, outputOf(number));
    for (const id of missing.results) results.set(id, resultOf(id));
    for (const scope of missing.memory) scopes.set(scope, memory.get(scope) ?? {});
    if (missing.held) known.held = readHeld();
    if (missing.waiting) known.waiting = readState("waiting");
    reads.rows += missing.steps.size + missing.outputs.size + missing.results.size + missing.memory.size;
    if (missing.held) reads.rows += known.held?.length ?? 0;
    if (missing.waiting) reads.rows += known.waiting?.length ?? 0;
  };
  if (isGenerous) {
    const all = new Set(run.graph.steps.keys());
    const scopesOfAll = run.graph.steps.flatMap(({ work }) => (work.kind === "llm" ? (work.memory?.scope ?? []) : []));
    const ended = [...tasks.values(), ...runs.values()].filter((unit) => unit.end !== undefined).map(({ id }) => id);
    load({
      steps: all,
      outputs: all,
      results: new Set(ended),
      memory: new Set(scopesOfAll),
      held: true,
      waiting: true,
    });
  }
  return { known, load };

  function readState(state: StepRow["state"]): StepRow[] {
    return [...run.rows.values()]
      .filter((row) => row.state === state)
      .toSorted((a, b) => a.number - b.number || a.item - b.item)
      .flatMap((row) => bare(row) ?? []);
  }

  function readHeld(): StepRow[] {
    const taken = new Map<number, number>();
    return readState("pending").filter(({ number }) => {
      taken.set(number, (taken.get(number) ?? 0) + 1);
      return taken.size <= heldSteps && (taken.get(number) ?? 0) <= heldPerStep;
    });
  }

  function outputOf(number: number): Json {
    const own = run.rows.get(rowKey(number, -1));
    if (own === undefined) return null;
    const total = own.data?.total;
    if (stepAt(run.graph, number).each === undefined || own.output !== undefined || total === undefined)
      return rowOutput(own);
    return Array.from({ length: total }, (_, item) => {
      const row = run.rows.get(rowKey(number, item));
      return row === undefined ? null : rowOutput(row);
    });
  }

  function rowOutput(row: SimRow): Json {
    if (row.output !== undefined) return row.output;
    return viewOutput(stepAt(run.graph, row.number).work, resultOf(row.taskId ?? row.childRunId ?? ""));
  }

  function resultOf(id: string): Json {
    const end = tasks.get(id)?.end ?? runs.get(id)?.end;
    return end === undefined ? null : "result" in end ? end.result : "output" in end ? end.output : null;
  }
}

class CountedMap<Key, Value> extends Map<Key, Value> {
  readonly #reads: Reads;

  constructor(reads: Reads) {
    super();
    this.#reads = reads;
  }

  override get(key: Key): Value | undefined {
    this.#reads.lookups += 1;
    return super.get(key);
  }
}

function bare(row: SimRow | undefined): StepRow | null {
  if (row === undefined) return null;
  const { output: _output, ...rest } = row;
  return rest;
}
