import type { Json } from "../json.ts";
import { advance } from "./advance.ts";
import type { AdvanceAnswer, RunEnd, TaskStart } from "./advance-answer.ts";
import type { AdvanceQuestion, MailboxEvent, RunCounts, Signal, StepError, StepRow } from "./advance-question.ts";
import type { Definition, Graph } from "./definition.ts";
import type { RunState, StepState } from "./lifecycle.ts";
import { rowKey } from "./sheet.ts";
import { checkApplied, checkMove } from "./testing-check.ts";
import { createReader, type Reads } from "./testing-reader.ts";
import { validateJson } from "./testing-schema.ts";

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

/** What plays database and workers around the engine. */
export interface World {
  readonly runs: ReadonlyMap<string, SimRun>;
  readonly tasks: ReadonlyMap<string, SimTask>;
  readonly memory: Map<string, Record<string, Json>>;
  /** Moves of steps and runs that were seen: `step pending running`. */
  readonly moves: Set<string>;
  readonly reads: Reads;
  nowMs: number;
  start(input?: Json, options?: { deadlineMs?: number }): SimRun;
  /** Open tasks, in the order in which they were started. */
  open(run?: SimRun): SimTask[];
  endTask(task: SimTask, end: TaskEnd): void;
  signal(run: SimRun, signal: SimSignal): void;
  /** Runs that have signals, or whose time has come. */
  due(): SimRun[];
  /** One advance of a run, with at most so many of its signals. */
  advance(run: SimRun, maxSignals?: number): AdvanceAnswer;
  /** Advances until nothing is due. */
  settle(): void;
  /** Moves the clock to the next time that a run waits for; whether there was one. */
  passTime(): boolean;
}

export interface WorldOptions {
  definition: Definition;
  /** Other workflows, by name. */
  workflows?: Record<string, Definition>;
  /** Held rows that the database hands over: of how many steps, and how many of each. */
  heldSteps?: number;
  heldPerStep?: number;
  /** Everything is known beforehand, instead of what is asked for. */
  isGenerous?: boolean;
  /** Why a task or nested run cannot be started. */
  refuse?: (unit: { number: number; item: number }) => StepError | undefined;
  isChecked?: boolean;
}

/** A world with one workflow. Whatever an advance breaks (counters, bounds, moves) throws. */
export function createWorld({
  definition,
  workflows = {},
  heldSteps = 64,
  heldPerStep = 64,
  isGenerous = false,
  refuse = () => undefined,
  isChecked = true,
}: WorldOptions): World {
  const runs = new Map<string, SimRun>();
  const tasks = new Map<string, SimTask>();
  const openTasks = new Set<SimTask>();
  const memory = new Map<string, Record<string, Json>>();
  const moves = new Set<string>();
  const reads: Reads = { advances: 0, questions: 0, rows: 0, lookups: 0 };
  let ids = 0;
  const newId = () => String((ids += 1));

  const world: World = {
    runs,
    tasks,
    memory,
    moves,
    reads,
    nowMs: Date.parse("2026-01-01T00:00:00Z"),
    start: (input = {}, { deadlineMs } = {}) =>
      openRun({ id: newId(), path: "", definition, graph: definition, input, depth: 0, parent: undefined, deadlineMs }),
    open: (run) => [...openTasks].filter((task) => run === undefined || task.run === run),
    endTask(task, end) {
      if (task.end !== undefined) throw new Error(`task ${task.id} has ended already`);
      task.end = end;
      openTasks.delete(task);
      world.signal(task.run, { kind: "task", taskId: task.id });
    },
    signal(run, signal) {
      if (run.end === undefined) run.signals.push(signal);
    },
    due: () => [...runs.values()].filter((run) => run.end === undefined && (run.signals.length > 0 || isDue(run))),
    advance(run, maxSignals = Infinity) {
      const taken = run.signals.splice(0, Math.min(maxSignals, run.signals.length));
      const answer = decide(run, taken);
      apply(run, answer);
      return answer;
    },
    settle() {
      for (let due = world.due(); due.length > 0; due = world.due()) for (const run of due) world.advance(run);
    },
    passTime() {
      const times = [...runs.values()].flatMap((run) => (run.end === undefined ? (run.wakeAtMs ?? []) : []));
      if (times.length === 0) return false;
      world.nowMs = Math.max(world.nowMs, Math.min(...times));
      return true;
    },
  };
  return world;

  function openRun(
    given: Pick<SimRun, "id" | "path" | "definition" | "graph" | "input" | "depth" | "parent" | "deadlineMs">,
  ) {
    const { definition: its, graph, deadlineMs } = given;
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
      wakeAtMs: deadlineMs,
    };
    runs.set(run.id, run);
    moves.add("run null pending");
    return run;
  }

  function isDue(run: SimRun): boolean {
    return run.wakeAtMs !== undefined && run.wakeAtMs <= world.nowMs;
  }

  function decide(run: SimRun, taken: SimSignal[]): AdvanceAnswer {
    const reader = createReader({ run, runs, tasks, memory, heldSteps, heldPerStep, reads, isGenerous });
    const refused = new Map<string, StepError>();
    const question: AdvanceQuestion = {
      run: {
        id: run.id,
        workflow: run.definition.name,
        input: run.input,
        fields: run.fields,
        mailbox: run.mailbox,
        counts: { ...run.counts },
        stopping: run.stopping,
        cancelReason: run.cancelReason,
        isStarted: run.state !== "pending",
        nowMs: world.nowMs,
        deadlineMs: run.deadlineMs,
        isDue: isDue(run),
        wakeAtMs: run.wakeAtMs,
        depth: run.depth,
        rootId: rootOf(run).id,
      },
      definition: run.definition,
      graph: run.graph,
      signals: taken.flatMap((signal) => signalOf(run, signal)),
      known: { ...reader.known, refused },
      newId,
      validate: validateJson,
    };
    reads.advances += 1;
    for (let round = 0; round < 1000; round++) {
      reads.questions += 1;
      const outcome = advance({ ...question, known: { ...reader.known, refused } });
      if ("missing" in outcome) {
        reader.load(outcome.missing);
        continue;
      }
      const before = refused.size;
      for (const unit of [...outcome.answer.tasks, ...outcome.answer.children]) {
        const error =
          refuse(unit) ?? (isUnknown(unit) ? { class: "invalid_execution", message: "No such." } : undefined);
        if (error !== undefined) refused.set(rowKey(unit.number, unit.item), error);
      }
      if (refused.size === before) return outcome.answer;
    }
    throw new Error(`the engine never has enough to answer for run ${run.id}`);
  }

  function isUnknown(unit: object): boolean {
    const { workflow } = unit as { workflow?: { name: string } };
    return workflow !== undefined && workflows[workflow.name] === undefined;
  }

  function signalOf(run: SimRun, signal: SimSignal): Signal[] {
    if (signal.kind !== "task" && signal.kind !== "run") return [signal];
    const task = signal.kind === "task" ? tasks.get(signal.taskId) : undefined;
    const child = signal.kind === "run" ? runs.get(signal.childRunId) : undefined;
    const at = task ?? child?.parent;
    const row = at && run.rows.get(rowKey(at.number, at.item));
    const header = at && run.rows.get(rowKey(at.number, -1));
    const end = task?.end ?? child?.end;
    if (row === undefined || header === undefined || end === undefined) return [];
    const state = end.state === "completed" || end.state === "cancelled" ? end.state : "failed";
    const error = ("error" in end ? end.error : undefined) ?? null;
    const unit = { taskId: task?.id ?? null, childRunId: child?.id ?? null };
    return [{ kind: "ended", ...unit, end: { state, error }, row: bare(row), header: bare(header) }];
  }

  function apply(run: SimRun, answer: AdvanceAnswer): void {
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
      openRun({
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
    for (const id of answer.cancels) requestCancel(id);
    if (answer.stopsUnits) stopUnits(run);
    const isBegun = run.state === "pending";
    if (answer.end === undefined && isBegun) moveRun(run, "running");
    if (isChecked || answer.end !== undefined)
      checkApplied(
        run,
        answer,
        [...openTasks].filter((task) => task.run === run),
      );
    if (answer.end !== undefined) endRun(run, answer.end);
  }

  function rowAfter(run: SimRun, answer: AdvanceAnswer, at: { number: number; item: number }) {
    const write = answer.steps.find((one) => one.number === at.number && one.item === at.item);
    return write?.data === undefined ? run.rows.get(rowKey(at.number, at.item)) : write;
  }

  function requestCancel(id: string): void {
    const task = tasks.get(id);
    if (task !== undefined) task.isCancelRequested = true;
  }

  function stopUnits(run: SimRun): void {
    for (const row of run.rows.values()) {
      if (row.state !== "running") continue;
      for (const id of [row.taskId, ...Object.keys(row.data?.talk?.calls ?? {})]) if (id !== null) requestCancel(id);
      const child = row.childRunId === null ? undefined : runs.get(row.childRunId);
      if (child !== undefined) world.signal(child, { kind: "cancel", reason: "Its parent stops." });
    }
  }

  function endRun(run: SimRun, end: RunEnd): void {
    if (run.stopping !== undefined) {
      for (const row of run.rows.values()) {
        if (row.state !== "pending" && row.state !== "waiting" && row.state !== "running") continue;
        checkMove(moves, "step", row.state, "cancelled");
        row.state = "cancelled";
        if (row.item === -1) run.counts.cancelled += 1;
      }
      const { total, completed, failed, cancelled } = run.counts;
      run.counts.skipped = total - completed - failed - cancelled;
    }
    moveRun(run, end.state);
    run.end = end;
    run.signals = [];
    if (run.parent !== undefined) world.signal(run.parent.run, { kind: "run", childRunId: run.id });
  }

  function moveRun(run: SimRun, to: RunState): void {
    checkMove(moves, "run", run.state, to);
    run.state = to;
  }
}

/** The states of a run's steps by id, for comparing. */
export function statesOf(run: SimRun): Record<string, StepState | "not_reached" | `skipped ${string}`> {
  return Object.fromEntries(
    run.graph.steps.map((step, number) => {
      const row = run.rows.get(rowKey(number, -1));
      return [
        step.id,
        row?.state === "skipped" ? (`skipped ${row.error?.class}` as const) : (row?.state ?? "not_reached"),
      ];
    }),
  );
}

function bare({ output: _output, ...row }: SimRow): StepRow {
  return { ...row };
}

function rootOf(run: SimRun): SimRun {
  return run.parent === undefined ? run : rootOf(run.parent.run);
}
