import type { GenEnum } from "@bufbuild/protobuf/codegenv2";
import { EnvironmentStateSchema, ReplicaStateSchema } from "@drover/proto/drover/environment";
import { NodeStateSchema } from "@drover/proto/drover/node";
import { type Run, RunStateSchema, type RunStep, StepStateSchema } from "@drover/proto/drover/run";
import { ExecutorSchema, type Task, TaskStateSchema } from "@drover/proto/drover/task";
import type { TaskState } from "@drover/domain/task";
import type { RunState, StepState } from "@drover/domain/workflow/lifecycle";
import type { Color } from "./table.ts";

/** The word of the product for a task's state. */
export function taskStateWord(state: Task["state"]): TaskState | "unspecified" {
  return wordOf(TaskStateSchema, state) as TaskState | "unspecified";
}

/** The word for how a task is run. */
export function executorWord(executor: Task["executor"]): string {
  return wordOf(ExecutorSchema, executor);
}

/** The word for a node's state. */
export function nodeStateWord(state: number): string {
  return wordOf(NodeStateSchema, state);
}

/** The word for the state of an environment. */
export function environmentStateWord(state: number): string {
  return wordOf(EnvironmentStateSchema, state);
}

/** The word for the state of a replica, and of a service. */
export function replicaStateWord(state: number): string {
  return wordOf(ReplicaStateSchema, state);
}

/** The word for a run's state. */
export function runStateWord(state: Run["state"]): RunState | "unspecified" {
  return wordOf(RunStateSchema, state) as RunState | "unspecified";
}

/** The word for the state of a step. */
export function stepStateWord(state: RunStep["state"]): StepState | "unspecified" {
  return wordOf(StepStateSchema, state) as StepState | "unspecified";
}

/** The number of a run's state in the contract. */
export function runStateNumber(word: RunState): Run["state"] {
  const found = RunStateSchema.values.find(({ localName }) => localName.toLowerCase() === word);
  return (found?.number ?? 0) as Run["state"];
}

/** The number of a task's state in the contract. */
export function taskStateNumber(word: TaskState): Task["state"] {
  const found = TaskStateSchema.values.find(({ localName }) => localName.toLowerCase() === word);
  return (found?.number ?? 0) as Task["state"];
}

/** The colour in which a state is shown. */
export function stateColor(word: string): Color | undefined {
  return colors[word];
}

function wordOf(schema: GenEnum<number>, number: number): string {
  return schema.value[number]?.localName.toLowerCase() ?? `unknown (${number})`;
}

const colors: Record<string, Color> = {
  completed: "green",
  ready: "green",
  running: "blue",
  failed: "red",
  lost: "red",
  cancelled: "yellow",
  partially_completed: "yellow",
  draining: "yellow",
  paused: "yellow",
  waiting: "dim",
  skipped: "dim",
};
