import type { Json } from "../../json.ts";
import { advance } from "./advance.ts";
import type { AdvanceAnswer } from "./advance-answer.ts";
import type { AdvanceQuestion, Signal, StepError, StepRow } from "./advance-question.ts";
import type { Definition } from "../definition.ts";
import type { StepState } from "../lifecycle.ts";
import { rowKey } from "./sheet.ts";
import { createReader, type Reads } from "./testing-reader.ts";
import { validateJson } from "./testing-schema.ts";
import {
  applyAnswer,
  openRun,
  resumeRun,
  signalRun,
  type SimRow,
  type SimRun,
  type SimSignal,
  type SimTask,
  type Store,
  type TaskEnd,
} from "./testing-store.ts";

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
  /** Takes up a run that has ended: what did not complete is forgotten and runs again. */
  resume(run: SimRun): void;
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
  const store: Store = { runs, tasks, openTasks, memory, moves, workflows, isChecked };
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
      openRun(store, {
        id: newId(),
        path: "",
        definition,
        graph: definition,
        input,
        depth: 0,
        parent: undefined,
        deadlineMs,
      }),
    open: (run) => [...openTasks].filter((task) => run === undefined || task.run === run),
    endTask(task, end) {
      if (task.end !== undefined) throw new Error(`task ${task.id} has ended already`);
      task.end = end;
      openTasks.delete(task);
      world.signal(task.run, { kind: "task", taskId: task.id });
    },
    signal(run, signal) {
      signalRun(run, signal);
    },
    due: () => [...runs.values()].filter((run) => run.end === undefined && (run.signals.length > 0 || isDue(run))),
    advance(run, maxSignals = Infinity) {
      const taken = run.signals.splice(0, Math.min(maxSignals, run.signals.length));
      const answer = decide(run, taken);
      applyAnswer(store, run, answer);
      return answer;
    },
    settle() {
      for (let due = world.due(); due.length > 0; due = world.due()) for (const run of due) world.advance(run);
    },
    resume: (run) => resumeRun(store, run),
    passTime() {
      const times = [...runs.values()].flatMap((run) => (run.end === undefined ? (run.wakeAtMs ?? []) : []));
      if (times.length === 0) return false;
      world.nowMs = Math.max(world.nowMs, Math.min(...times));
      return true;
    },
  };
  return world;

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
