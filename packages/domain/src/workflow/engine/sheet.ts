import type { Json } from "../../json.ts";
import type { ChildStart, RunEnd, StepWrite, TaskStart } from "./advance-answer.ts";
import type {
  AdvanceQuestion,
  MailboxEvent,
  Missing,
  RowData,
  RunCounts,
  RunFacts,
  StepError,
  StepRow,
} from "./advance-question.ts";
import { type GraphIndex, indexGraph } from "../graph-index.ts";

/** Where one advance notes what it has decided so far. Nothing of the question is changed. */
export interface Sheet {
  readonly question: AdvanceQuestion;
  readonly index: GraphIndex;
  readonly missing: Missing;
  readonly counts: RunCounts;
  readonly tasks: TaskStart[];
  readonly children: ChildStart[];
  readonly cancels: string[];
  readonly memory: { scope: string; key: string; value: Json }[];
  /** Outputs of steps that completed in this advance, and of their items, as far as they were read. */
  readonly outputs: Map<number, Json>;
  readonly itemOutputs: Map<number, Map<number, Json>>;
  /** Steps that may have become ready. */
  readonly agenda: Set<number>;
  /** Rows whose next round is to begin. */
  readonly rounds: StepRow[];
  /** Rows that were held back and have had their turn in this advance. */
  readonly taken: Set<string>;
  fields: Record<string, Json>;
  mailbox: MailboxEvent[];
  stopping: RunFacts["stopping"];
  reason: string | undefined;
  stopsUnits: boolean;
  wakeAtMs: number | undefined;
  end: RunEnd | undefined;
  /** The row as it is now; undefined where it was not read, which is noted as missing for the step's own rows. */
  row(number: number, item?: number): StepRow | null | undefined;
  /** Whether this step has a row by what is known already; asks for nothing. */
  isReached(number: number): boolean;
  /** Changes a row; parts that are not given stay. */
  write(row: StepRow, change: RowChange): StepRow;
  writes(): StepWrite[];
}

export interface RowChange {
  state?: StepRow["state"];
  taskId?: string;
  childRunId?: string;
  exits?: number[];
  data?: RowData;
  output?: Json;
  error?: StepError;
}

/** A sheet for a question. */
export function createSheet(question: AdvanceQuestion): Sheet {
  const { run, known } = question;
  const rows = new Map<string, StepRow>();
  const changes = new Map<string, StepWrite>();
  const missing: Missing = {
    steps: new Set(),
    outputs: new Set(),
    results: new Set(),
    memory: new Set(),
    held: false,
    waiting: false,
  };
  for (const signal of question.signals) {
    if (signal.kind !== "ended") continue;
    rows.set(rowKey(signal.row.number, signal.row.item), signal.row);
    rows.set(rowKey(signal.header.number, -1), signal.header);
  }
  for (const row of [...(known.held ?? []), ...(known.waiting ?? [])]) rows.set(rowKey(row.number, row.item), row);
  return {
    question,
    index: indexGraph(question.graph),
    missing,
    counts: { ...run.counts },
    tasks: [],
    children: [],
    cancels: [],
    memory: [],
    outputs: new Map(),
    itemOutputs: new Map(),
    agenda: new Set(),
    rounds: [],
    taken: new Set(),
    fields: run.fields,
    mailbox: run.mailbox,
    stopping: run.stopping,
    reason: run.cancelReason,
    stopsUnits: false,
    wakeAtMs: run.wakeAtMs,
    end: undefined,
    row(number, item = -1) {
      const noted = rows.get(rowKey(number, item));
      if (noted !== undefined) return noted;
      const read = item === -1 ? known.steps.get(number) : undefined;
      if (read === undefined && item === -1) missing.steps.add(number);
      return read;
    },
    isReached: (number) => rows.has(rowKey(number, -1)) || (known.steps.get(number) ?? null) !== null,
    write(row, change) {
      const key = rowKey(row.number, row.item);
      const next: StepRow = {
        ...row,
        state: change.state ?? row.state,
        taskId: change.taskId ?? row.taskId,
        childRunId: change.childRunId ?? row.childRunId,
        exits: change.exits ?? row.exits,
        data: change.data ?? row.data,
        error: change.error ?? row.error,
      };
      rows.set(key, next);
      changes.set(key, { ...changes.get(key), ...change, number: row.number, item: row.item, state: next.state });
      return next;
    },
    writes: () => [...changes.values()],
  };
}

/** A row that is not in the database yet. */
export function newRow(number: number, item: number, state: StepRow["state"]): StepRow {
  return { number, item, state, taskId: null, childRunId: null, exits: null, data: null, error: null };
}

/** Names a row. */
export function rowKey(number: number, item: number): string {
  return `${number}/${item}`;
}

/** Whether something must be read before the question can be answered. */
export function isMissing({ steps, outputs, results, memory, held, waiting }: Missing): boolean {
  return steps.size + outputs.size + results.size + memory.size > 0 || held || waiting;
}
