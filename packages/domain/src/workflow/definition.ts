import type { Execution, ExecutorName } from "../execution.ts";
import type { Json } from "../json.ts";
import type { RetryPolicy } from "../retry.ts";

/**
 * A text in the expression language: references, literals, comparisons, `and or not`, parentheses.
 * Roots: `input`, `state`, `steps.<id>.output`, `item`, `index`, `iteration`, `previous`, `run.id`.
 */
export type Expression = string;

/** JSON whose texts may hold `${expression}`; a text that is nothing but one keeps the type of its value. */
export type Template = Json;

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = { [keyword: string]: Json };

/** Where a definition came from. */
export const workflowFormats = ["drover", "dspy", "configurable-agents", "agent-orchestration-engine"] as const;
export type WorkflowFormat = (typeof workflowFormats)[number];

/** The one model inside: what every format is compiled to, stored with its version and never changed. */
export interface Definition extends Graph {
  name: string;
  description?: string;
  tags?: string[];
  /** What the run's input must be; absent: any JSON object. */
  input?: JsonSchema;
  /** Fields that steps write and others read, for formats that have them. */
  state?: Record<string, StateField>;
  failure?: FailurePolicy;
  /** The longest a run may take, its waiting included. */
  timeoutSeconds?: number;
  /** What a run, its nested ones included, may spend at most. Billionths of a US dollar. */
  budgetNanos?: number;
  /** Handed to the tasks of the compatible formats. */
  context?: Json;
}

/** Steps and how many of them may run at once: a workflow, or the body of a step. */
export interface Graph {
  /** Their places are their numbers in the database. */
  steps: Step[];
  maxParallel?: number;
  /** Absent: the outputs of the steps that nobody needs, by id. */
  output?: Template;
}

export interface StateField {
  /** Lists are appended to, others replaced. */
  merge: "append" | "replace";
  default?: Json;
}

export interface FailurePolicy {
  /** `continue`: dependents of a failed step are skipped, others go on. `stop`: the first failure ends the run. */
  onFailure: "continue" | "stop";
  /** The run has failed, not partially completed, when more than this share of its steps failed. From 0 to 1. */
  maxFailedShare?: number;
}

export interface Step {
  id: string;
  name?: string;
  /** Absent or empty: ready at the start. */
  needs?: Edge[];
  /** Skipped, with everything that hangs on it alone, where this is false. */
  when?: Expression;
  work: Work;
  /** Runs the work once for every item of a list. */
  each?: { items: Template; as?: string; concurrency?: number };
  /** Runs the work again until the expression is true of its output; fails when the bound is reached, unless it may end there. */
  repeat?: { until: Expression; maxIterations: number; atBound: "complete" | "fail" };
  /** The ways out, where some are conditional; edges name them by their place. */
  exits?: Exit[];
  /** State fields to write when it completed. */
  writes?: Record<string, Template>;
  retry?: Partial<RetryPolicy>;
  /** Tasks: per attempt. Waiting for an event or an approval: altogether. */
  timeoutSeconds?: number;
  priority?: number;
  /** Absent: cpu_short, or llm for LLM steps. */
  class?: string;
  budgetNanos?: number;
  /** Its failure ends the run. */
  isCritical?: boolean;
  /** Those who need it run although it failed. */
  mayFail?: boolean;
}

export interface Edge {
  from: string;
  /** Place in the exits of `from`; absent: taken whenever that step completed. */
  exit?: number;
}

/** Of the exits with one group the first whose expression is true is taken, else the one without any. */
export interface Exit {
  when?: Expression;
  group: number;
}

export type Work =
  | TaskWork
  | LlmWork
  /** Another workflow by name; absent version: the newest at the start of the step. */
  | { kind: "workflow"; name: string; version?: number; input?: Template }
  /** A body of its own, run as a nested run; its `input` is the template's value. */
  | ({ kind: "steps"; input?: Template } & Graph)
  | { kind: "wait"; seconds?: Template; until?: Template }
  | { kind: "event"; name: Template }
  | { kind: "approval"; approvers: string[]; message?: Template; atTimeout: "fail" | "approve" }
  /** No task: its output is the template's value. Absent: null; a join. */
  | { kind: "value"; output?: Template };

export interface TaskWork {
  kind: "task";
  /** Absent: executor worker, by type. Texts inside are templates. */
  execution?: Execution & { executor?: ExecutorName };
  type?: string;
  payload?: Template;
  /** What of the result is the step's output; `runnerOutput` falls back to the whole. */
  take?: "result" | "runnerOutput" | "stdout";
}

export interface LlmWork {
  kind: "llm";
  /** Tried in order: the next one when the former failed for good. */
  models: { provider: string; model: string }[];
  system?: Template;
  prompt: Template;
  temperature?: number;
  /** Absent: what fits the smallest limit, 1024 at most. */
  maxOutputTokens?: number;
  /** What the answer must be; absent: text. */
  output?: JsonSchema;
  /** How often an answer that breaks the schema is asked for again. */
  maxReasks?: number;
  tools?: Tool[];
  /** Calls with tools, the first included. */
  maxTurns?: number;
  memory?: { scope: string; maxEntries: number };
  /** Whether prompt and answer are written to the task's log. */
  isLogged?: boolean;
  /** Regular expressions of what is blanked in the log. */
  redact?: string[];
}

/** What a model may call: each call runs as a task of the run. */
export interface Tool {
  name: string;
  description?: string;
  parameters: JsonSchema;
  /** `input` in its templates is what the model gave. */
  work: TaskWork;
  class?: string;
  timeoutSeconds?: number;
  /** Whether the model is told of a failure, or the step fails. */
  onError: "tell" | "fail";
}
