import type { Executor } from "@drover/db/client";
import {
  loadHeld,
  loadMemory,
  loadOutputs,
  loadResults,
  loadSteps,
  loadWaiting,
  type OutputRow,
  type StepFacts,
  type StepKey,
  type TakenRun,
} from "@drover/db/query/advance";
import type { Json } from "@drover/domain/json";
import type { Known, Missing, StepError, StepRow } from "@drover/domain/workflow/engine/advance-question";
import type { Graph } from "@drover/domain/workflow/definition";
import { stepAt } from "@drover/domain/workflow/graph-index";
import { viewOutput } from "@drover/domain/workflow/output";

/** What was read about one run under its lock, for each time that the question about it is put. */
export interface Reading {
  readonly run: TakenRun;
  readonly graph: Graph;
  readonly known: Known;
  readonly notes: Notes;
  /** Notes units that cannot be started. */
  refuse(units: ReadonlyMap<string, StepError>): void;
}

const heldAtOnce = { steps: 64, perStep: 64 };

/** Nothing read yet. */
export function createReading(run: TakenRun, graph: Graph): Reading {
  const known: Notes = {
    steps: new Map(),
    outputs: new Map(),
    results: new Map(),
    memory: new Map(),
    refused: new Map(),
  };
  return {
    run,
    graph,
    known,
    notes: known,
    refuse(units) {
      for (const [key, error] of units) known.refused.set(key, error);
    },
  };
}

/** Reads what the engine misses about runs: each kind in one statement for all of them, sent without waiting in between. */
export async function loadMissing(
  tx: Executor,
  requests: readonly { reading: Reading; missing: Missing }[],
): Promise<void> {
  const readings = new Map(requests.map(({ reading }) => [reading.run.run_id, reading]));
  await Promise.all([
    readSteps(tx, readings, keysOf(requests, "steps")),
    readOutputs(tx, readings, keysOf(requests, "outputs")),
    readResults(tx, requests),
    ...requests.flatMap(({ reading, missing }) => readRest(tx, reading, missing)),
  ]);
}

/** A row as the engine sees it; what it remembers was written by the engine itself. */
export function asRow(facts: StepFacts): StepRow {
  return { ...facts, data: facts.data };
}

interface Notes extends Known {
  steps: Map<number, StepRow | null>;
  outputs: Map<number, Json>;
  results: Map<string, Json>;
  memory: Map<string, Record<string, Json>>;
  refused: Map<string, StepError>;
  held?: StepRow[];
  waiting?: StepRow[];
}

function keysOf(requests: readonly { reading: Reading; missing: Missing }[], kind: "steps" | "outputs"): StepKey[] {
  return requests.flatMap(({ reading, missing }) =>
    [...missing[kind]].map((number) => ({ runId: reading.run.run_id, number })),
  );
}

async function readSteps(tx: Executor, readings: ReadonlyMap<string, Reading>, keys: StepKey[]): Promise<void> {
  if (keys.length === 0) return;
  for (const { runId, number } of keys) readings.get(runId)?.notes.steps.set(number, null);
  for (const { run_id, step } of await loadSteps(tx, keys))
    readings.get(run_id)?.notes.steps.set(step.number, asRow(step));
}

async function readOutputs(tx: Executor, readings: ReadonlyMap<string, Reading>, keys: StepKey[]): Promise<void> {
  if (keys.length === 0) return;
  const rows = await loadOutputs(tx, keys);
  for (const { runId, number } of keys) readings.get(runId)?.notes.outputs.set(number, null);
  for (const [runId, ofRun] of Map.groupBy(rows, (row) => row.run_id)) {
    const reading = readings.get(runId);
    for (const [number, group] of Map.groupBy(ofRun, (row) => row.number))
      reading?.notes.outputs.set(number, outputOf(reading.graph, group));
  }
}

async function readResults(tx: Executor, requests: readonly { reading: Reading; missing: Missing }[]): Promise<void> {
  const asking = requests.filter(({ missing }) => missing.results.size > 0);
  if (asking.length === 0) return;
  const ids = [...new Set(asking.flatMap(({ missing }) => [...missing.results]))];
  const results = new Map((await loadResults(tx, ids)).map(({ id, result }) => [id, result]));
  for (const { reading, missing } of asking)
    for (const id of missing.results) reading.notes.results.set(id, results.get(id) ?? null);
}

/** What few runs ask for, one by one. */
function readRest(tx: Executor, { run, notes }: Reading, missing: Missing): Promise<void>[] {
  const reads: Promise<void>[] = [];
  if (missing.held) reads.push(loadHeld(tx, run.run_id, heldAtOnce).then((rows) => void (notes.held = rowsOf(rows))));
  if (missing.waiting) reads.push(loadWaiting(tx, run.run_id).then((rows) => void (notes.waiting = rowsOf(rows))));
  for (const scope of missing.memory) {
    const note = (entries: { key: string; value: Json }[]) =>
      void notes.memory.set(scope, Object.fromEntries(entries.map(({ key, value }) => [key, value])));
    reads.push(loadMemory(tx, run.run.namespaceId, scope).then(note));
  }
  return reads;
}

function rowsOf(rows: { step: StepFacts }[]): StepRow[] {
  return rows.map(({ step }) => asRow(step));
}

/** What others see of a step: of a map the list of its items' outputs. */
function outputOf(graph: Graph, rows: OutputRow[]): Json {
  const header = rows.find((row) => row.item === -1);
  const { work, each } = stepAt(graph, header?.number ?? rows[0]?.number ?? 0);
  const view = (row: OutputRow): Json => (row.is_stored ? row.output : viewOutput(work, row.output));
  if (each === undefined || header?.is_stored === true) return header === undefined ? null : view(header);
  return rows.filter((row) => row.item >= 0).map(view);
}
