import type { Json } from "../../json.ts";
import type { AdvanceAnswer, RunEnd, TaskStart } from "./advance-answer.ts";
import type { MailboxEvent, RunCounts, Signal, StepError, StepRow } from "./advance-question.ts";
import type { Definition, Graph } from "../definition.ts";
import type { RunState, StepState } from "../lifecycle.ts";
import { stepsToReset } from "../reset.ts";
import { rowKey } from "./sheet.ts";
import { checkApplied, checkMove } from "./testing-check.ts";

/** A row of a step as the simulated database holds it. */
export interface SimRow extends StepRow {
  output: Json | undefined;
}

/** A run in the simulated database. */
export interface SimRun {
  id: string;
  /** The ids of the steps that lead to it, with their items: `map[2]/inner`. */
  path: string;
  definition: Definition;
  graph: Graph;
  input: Json;
  depth: number;
  parent: { run: SimRun; number: number; item: number } | undefined;
  deadlineMs: number | undefined;
  state: RunState;
  end: RunEnd | undefined;
  rows: Map<string, SimRow>;
  signals: SimSignal[];
  counts: RunCounts;
  fields: Record<string, Json>;
  mailbox: MailboxEvent[];
  stopping: AdvanceAnswer["stopping"];
  cancelReason: string | undefined;
  wakeAtMs: number | undefined;
}

export type SimSignal =
  | Exclude<Signal, { kind: "ended" }>
  | { kind: "task"; taskId: string }
  | { kind: "run"; childRunId: string };

/** A task in the simulated queue. */
export interface SimTask extends TaskStart {
  run: SimRun;
  /** Of which round of a loop. */
  round: number;
  isCancelRequested: boolean;
  end: TaskEnd | undefined;
}

export type TaskEnd =
  | { state: "completed"; result: Json }
  | { state: "failed"; error?: StepError }
  | { state: "cancelled"; error?: StepError };

/** The simulated database. */
export interface Store {
  readonly runs: Map<string, SimRun>;
  readonly tasks: Map<string, SimTask>;
  readonly openTasks: Set<SimTask>;
  readonly memory: Map<string, Record<string, Json>>;
  readonly moves: Set<string>;
  readonly workflows: Readonly<Record<string, Definition>>;
  readonly isChecked: boolean;
}

/** Starts a run, with the signal by which its first advance begins it. */
export function openRun(
  store: Store,
  given: Pick<SimRun, "id" | "path" | "definition" | "graph" | "input" | "depth" | "parent" | "deadlineMs">,
) {
  const { definition: its, graph } = given;
  const zero = { completed: 0, failed: 0, tolerated: 0, skipped: 0, cancelled: 0, running: 0, held: 0 };
  const fields = Object.entries(its.state ?? {}).flatMap(([name, field]) =>
    field.default === undefined ? [] : [[name, field.default] as const],
  );
  const run: SimRun = {
    ...given,
    state: "pending",
    end: undefined,
    rows: new Map(),
    signals: [{ kind: "start" }],
    counts: { total: graph.steps.length, ...zero },
    fields: Object.fromEntries(fields),
    mailbox: [],
    stopping: undefined,
    cancelReason: undefined,
    // The engine itself asks to be woken at the deadline.
    wakeAtMs: undefined,
  };
  store.runs.set(run.id, run);
  store.moves.add("run null pending");
  return run;
}

/** Leaves a signal for a run that is open. */
export function signalRun(run: SimRun, signal: SimSignal): void {
  if (run.end === undefined) run.signals.push(signal);
}

/** Writes an answer in the order in which the database does. */
export function applyAnswer(store: Store, run: SimRun, answer: AdvanceAnswer): void {
  const { tasks, openTasks, memory, moves, workflows, isChecked } = store;
  const wasStopping = run.stopping !== undefined;
  if (wasStopping && answer.tasks.length + answer.children.length > 0) throw new Error(`run ${run.id} starts on`);
  for (const start of answer.tasks) {
    const round = rowAfter(run, answer, start)?.data?.round ?? 0;
    const task: SimTask = { ...start, run, round, isCancelRequested: false, end: undefined };
    tasks.set(task.id, task);
    openTasks.add(task);
  }
  for (const { id, number, item, workflow, input, deadlineMs } of answer.children) {
    const step = run.graph.steps[number];
    const other = workflow && workflows[workflow.name];
    const graph = other ?? (step?.work.kind === "steps" ? step.work : undefined);
    if (graph === undefined) throw new Error(`step ${number} has no body`);
    const round = rowAfter(run, answer, { number, item })?.data?.round ?? 0;
    const path = `${run.path}${step?.id}[${item},${round}]/`;
    const parent = { run, number, item };
    openRun(store, {
      id,
      path,
      definition: other ?? run.definition,
      graph,
      input,
      depth: run.depth + 1,
      parent,
      deadlineMs,
    });
  }
  for (const { output, ...write } of answer.steps) {
    const key = rowKey(write.number, write.item);
    const old = run.rows.get(key);
    checkMove(moves, "step", old?.state ?? null, write.state);
    run.rows.set(key, {
      number: write.number,
      item: write.item,
      state: write.state,
      taskId: write.taskId ?? old?.taskId ?? null,
      childRunId: write.childRunId ?? old?.childRunId ?? null,
      exits: write.exits ?? old?.exits ?? null,
      data: write.data ?? old?.data ?? null,
      output: output ?? old?.output,
      error: write.error ?? old?.error ?? null,
    });
  }
  for (const { scope, key, value } of answer.memory) {
    const { [key]: _old, ...rest } = memory.get(scope) ?? {};
    memory.set(scope, { ...rest, [key]: value });
  }
  run.counts = answer.counts;
  run.fields = answer.fields ?? run.fields;
  run.mailbox = answer.mailbox ?? run.mailbox;
  run.wakeAtMs = answer.wakeAtMs ?? undefined;
  run.stopping = answer.stopping;
  run.cancelReason = answer.cancelReason;
  for (const id of answer.cancels) requestCancel(store, id);
  if (answer.stopsUnits) stopUnits(store, run);
  const isBegun = run.state === "pending";
  if (answer.end === undefined && isBegun) moveRun(store, run, "running");
  if (isChecked || answer.end !== undefined)
    checkApplied(
      run,
      answer,
      [...openTasks].filter((task) => task.run === run),
    );
  if (answer.end !== undefined) endRun(store, run, answer.end);
}

/** Takes up a run that has ended: what did not complete is forgotten. */
export function resumeRun(store: Store, run: SimRun): void {
  const own = [...run.rows.values()].filter((row) => row.item === -1);
  const reset = new Set(stepsToReset(run.graph, own, undefined));
  for (const [key, row] of run.rows) if (reset.has(row.number)) run.rows.delete(key);
  const left = own.filter((row) => !reset.has(row.number));
  const count = (state: StepState) => left.filter((row) => row.state === state).length;
  // What fails and stays as it is may do so.
  const failed = count("failed");
  run.counts = {
    total: run.graph.steps.length,
    completed: count("completed"),
    failed,
    tolerated: failed,
    skipped: count("skipped"),
    cancelled: 0,
    running: 0,
    held: 0,
  };
  moveRun(store, run, "running");
  Object.assign(run, { end: undefined, stopping: undefined, cancelReason: undefined, deadlineMs: undefined });
  run.signals = [{ kind: "start" }];
}

function rowAfter(run: SimRun, answer: AdvanceAnswer, at: { number: number; item: number }) {
  const write = answer.steps.find((one) => one.number === at.number && one.item === at.item);
  return write?.data === undefined ? run.rows.get(rowKey(at.number, at.item)) : write;
}

function requestCancel(store: Store, id: string): void {
  const task = store.tasks.get(id);
  if (task !== undefined) task.isCancelRequested = true;
}

function stopUnits(store: Store, run: SimRun): void {
  for (const row of run.rows.values()) {
    if (row.state !== "running") continue;
    for (const id of [row.taskId, ...Object.keys(row.data?.talk?.calls ?? {})])
      if (id !== null) requestCancel(store, id);
    const child = row.childRunId === null ? undefined : store.runs.get(row.childRunId);
    if (child !== undefined) signalRun(child, { kind: "cancel", reason: "Its parent stops." });
  }
}

function endRun(store: Store, run: SimRun, end: RunEnd): void {
  if (run.stopping !== undefined) {
    for (const row of run.rows.values()) {
      if (row.state !== "pending" && row.state !== "waiting" && row.state !== "running") continue;
      checkMove(store.moves, "step", row.state, "cancelled");
      row.state = "cancelled";
      if (row.item === -1) run.counts.cancelled += 1;
    }
    const { total, completed, failed, cancelled } = run.counts;
    run.counts.skipped = total - completed - failed - cancelled;
  }
  moveRun(store, run, end.state);
  run.end = end;
  run.signals = [];
  if (run.parent !== undefined) signalRun(run.parent.run, { kind: "run", childRunId: run.id });
}

function moveRun(store: Store, run: SimRun, to: RunState): void {
  checkMove(store.moves, "run", run.state, to);
  run.state = to;
}
