import type { Json } from "../../json.ts";
import type { Definition, Graph, JsonSchema } from "../definition.ts";
import type { StepState } from "../lifecycle.ts";
import type { LlmMessage } from "../llm-call.ts";

/** What an advance decides about: one run, under its lock. */
export interface AdvanceQuestion {
  run: RunFacts;
  /** The workflow, and the part of it that this run is: itself, or the body of a step. */
  definition: Definition;
  graph: Graph;
  signals: Signal[];
  known: Known;
  /** A new id for a task or a nested run, as a decimal bigint. */
  newId: () => string;
  /** Faults of a value by a JSON Schema, as sentences. */
  validate: (schema: JsonSchema, value: Json) => string[];
}

export interface RunFacts {
  /** As clients know it. */
  id: string;
  workflow: string;
  input: Json;
  fields: Record<string, Json>;
  mailbox: MailboxEvent[];
  counts: RunCounts;
  stopping: "cancelled" | "deadline" | "failed" | undefined;
  cancelReason: string | undefined;
  isStarted: boolean;
  /** Unix milliseconds by the database's clock. */
  nowMs: number;
  deadlineMs: number | undefined;
  /** The time that it asked to be woken at has come. */
  isDue: boolean;
  wakeAtMs: number | undefined;
  depth: number;
  /** Ids for prompts and charges. */
  rootId: string;
}

/** Steps by what became of them; `running` and `held` count units: tasks, items, nested runs. */
export interface RunCounts {
  total: number;
  completed: number;
  failed: number;
  tolerated: number;
  skipped: number;
  cancelled: number;
  running: number;
  held: number;
}

export interface MailboxEvent {
  name: string;
  data: Json;
}

/** A row of a step: the step itself (item -1), or an item, round of it. */
export interface StepRow {
  number: number;
  item: number;
  state: StepState;
  taskId: string | null;
  childRunId: string | null;
  exits: number[] | null;
  data: RowData | null;
  error: StepError | null;
}

/** What a row remembers. */
export interface RowData {
  /** Of a mapped step's own row: its items, how many of them are in flight, have ended, have failed. */
  total?: number;
  running?: number;
  ended?: number;
  failed?: number;
  /** Of a repeated step's own row: the round that runs, from 0. */
  round?: number;
  /** What the former round gave. */
  previous?: Json;
  /** Of an item: its value. */
  value?: Json;
  /** Of an LLM step: the conversation so far. */
  talk?: Talk;
  /** Of a waiting row: until when, for what, and who may decide. */
  untilMs?: number;
  event?: string;
  approvers?: string[];
  message?: string;
}

/** A conversation with a model: one task per call, so each is reserved and settled on its own. */
export interface Talk {
  /** Place in the step's models. */
  model: number;
  /** Calls so far that the model answered with tool calls, the running one included. */
  turn: number;
  reasks: number;
  system?: string;
  messages: LlmMessage[];
  /** Tool calls whose tasks have not ended, by task id. */
  calls: Record<string, { id: string; name: string }>;
  /** Why the step fails as soon as the tools that still run have ended. */
  failure?: StepError;
}

export interface StepError {
  /** A word to act on: dependency_failed, not_taken, or the class of the task's error. */
  class: string;
  message: string;
}

export type Signal =
  | { kind: "start" }
  | { kind: "cancel"; reason: string }
  | { kind: "event"; name: string; data: Json }
  | { kind: "decision"; step: string; isApproved: boolean; approver: string; comment: string }
  /** A task or nested run of the run ended; `row` is what it worked on, `header` the step's own row. */
  | { kind: "ended"; taskId: string | null; childRunId: string | null; end: UnitEnd; row: StepRow; header: StepRow };

export interface UnitEnd {
  state: "completed" | "failed" | "cancelled";
  error: StepError | null;
}

/** What was read so far. What is needed beside it is asked for, and the question is put again. */
export interface Known {
  /** Rows of steps by number; null: not reached. Absent: not read. */
  steps: ReadonlyMap<number, StepRow | null>;
  /** Outputs of completed steps by number, in the form in which others see them. */
  outputs: ReadonlyMap<number, Json>;
  /** Results of ended tasks and outputs of nested runs, by task id and run id. */
  results: ReadonlyMap<string, Json>;
  /** Rows held back, a bounded number of each step, in order. */
  held?: readonly StepRow[];
  /** Rows that wait for a time, an event or an approval. */
  waiting?: readonly StepRow[];
  /** Remembered values by scope. */
  memory: ReadonlyMap<string, Record<string, Json>>;
  /** Units that cannot be started, by `number/item`, and why. */
  refused: ReadonlyMap<string, StepError>;
}

/** What must be read before the question can be answered. */
export interface Missing {
  steps: Set<number>;
  outputs: Set<number>;
  results: Set<string>;
  memory: Set<string>;
  held: boolean;
  waiting: boolean;
}
