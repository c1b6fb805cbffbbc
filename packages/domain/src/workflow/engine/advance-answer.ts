import type { Execution, ExecutorName } from "../../execution.ts";
import type { Json } from "../../json.ts";
import type { RetryPolicy } from "../../retry.ts";
import type { MailboxEvent, RowData, RunCounts, StepError } from "./advance-question.ts";
import type { FinalRunState, StepState } from "../lifecycle.ts";
import type { LlmCall } from "../llm-call.ts";

/** Everything that one advance changes, written in one transaction. */
export interface AdvanceAnswer {
  /** The last word about each row that changed. */
  steps: StepWrite[];
  tasks: TaskStart[];
  children: ChildStart[];
  counts: RunCounts;
  fields: Record<string, Json> | undefined;
  mailbox: MailboxEvent[] | undefined;
  /** Null: nothing to be woken for. */
  wakeAtMs: number | null;
  stopping: "cancelled" | "deadline" | "failed" | undefined;
  cancelReason: string | undefined;
  /** Cancel whatever is in flight, because the run began to stop. */
  stopsUnits: boolean;
  /** Tasks to cancel though the run goes on. */
  cancels: string[];
  memory: { scope: string; key: string; value: Json }[];
  end: RunEnd | undefined;
}

export interface RunEnd {
  state: FinalRunState;
  output: Json;
  error: StepError | null;
}

/** A row of a step as it is to be; undefined parts stay as they are. */
export interface StepWrite {
  number: number;
  item: number;
  state: StepState;
  /** What now works on it. */
  taskId?: string;
  childRunId?: string;
  exits?: number[];
  data?: RowData;
  output?: Json;
  error?: StepError;
}

/** A task to submit. */
export interface TaskStart {
  id: string;
  number: number;
  item: number;
  class: string;
  /** Of executor worker the handler's, of executor llm the provider. */
  type: string;
  execution?: (Execution & { executor?: ExecutorName }) | undefined;
  call?: LlmCall;
  payload: Json;
  priority: number;
  timeoutSeconds: number | undefined;
  retry: Partial<RetryPolicy> | undefined;
}

/** A nested run to start. */
export interface ChildStart {
  id: string;
  number: number;
  item: number;
  /** Another workflow, or undefined: the body of the step. */
  workflow: { name: string; version: number | undefined } | undefined;
  input: Json;
  deadlineMs: number | undefined;
}
