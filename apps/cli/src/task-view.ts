import { toJson } from "@bufbuild/protobuf";
import { timestampMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Attempt, type Execution, type Task, TaskSchema } from "@drover/proto/drover/task";
import { formatDuration } from "./duration.ts";
import { errorText, moment, pairs, took, valueText } from "./fact.ts";
import type { Output } from "./output.ts";
import { formatSize } from "./size.ts";
import type { Cell, Column } from "./table.ts";
import { executorWord, stateColor, taskStateWord } from "./word.ts";

/** A task for programs: the JSON of the contract, with states and executors as the words of the product. */
export function taskJson(task: Task): Record<string, unknown> {
  const json = toJson(TaskSchema, task, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  const execution = json["execution"];
  const own = { ...json, state: taskStateWord(task.state), executor: executorWord(task.executor) };
  if (task.execution === undefined || typeof execution !== "object") return own;
  return { ...own, execution: { ...execution, executor: executorWord(task.execution.executor) } };
}

export const taskColumns: Column[] = [
  { heading: "ID" },
  { heading: "STATE" },
  { heading: "CLASS" },
  { heading: "RUN BY" },
  { heading: "ATTEMPT", align: "right" },
  { heading: "AGE", align: "right" },
  { heading: "TOOK", align: "right" },
  { heading: "HOLDER", isFlexible: true },
  { heading: "NOTE", isFlexible: true },
];

/** A task as a row of the list. */
export function taskRow(task: Task, nowMs: number): (Cell | string)[] {
  const executor = executorWord(task.executor);
  return [
    task.id,
    stateCell(task),
    task.class,
    task.type === "" ? executor : `${executor} ${task.type}`,
    String(task.attempt),
    task.createdAt ? formatDuration(nowMs - timestampMs(task.createdAt)) : "",
    took(task.startedAt, task.finishedAt, nowMs),
    task.holder,
    note(task),
  ];
}

/** Everything about one task, for people. */
export function showTask(task: Task, output: Output, nowMs: number): void {
  const facts: [string, Cell | string | undefined][] = [
    ["Id", task.id],
    ["State", stateCell(task)],
    ["Why", task.pending?.message],
    ["Class", task.class],
    ["Namespace", task.namespace],
    ["Run by", executorWord(task.executor)],
    ["Type", task.type || undefined],
    ...executionFacts(task.execution),
    ["Priority", task.priority === 0 ? undefined : String(task.priority)],
    ["Labels", pairs(task.labels)],
    ["Submitted", moment(task.createdAt, nowMs)],
    ["Started", moment(task.startedAt, nowMs)],
    ["Finished", moment(task.finishedAt, nowMs)],
    [task.finishedAt === undefined ? "Runs for" : "Took", took(task.startedAt, task.finishedAt, nowMs) || undefined],
    ["Holder", task.holder || undefined],
    ["Attempt", attemptText(task)],
    ["Time-out", task.timeout && formatDuration(Number(task.timeout.seconds) * 1000 + task.timeout.nanos / 1e6)],
    ["Payload", valueText(task.payload)],
    ["Result", valueText(task.result)],
    ["Error", task.error && { text: errorText(task.error), color: "red" as const }],
  ];
  output.facts(facts.filter((fact): fact is [string, Cell | string] => fact[1] !== undefined));
  for (const [name, value] of [
    ["Payload", task.payload],
    ["Result", task.result],
  ] as const) {
    if (value !== undefined && valueText(value) === undefined) {
      output.line(`\n${output.paint(name, "dim")}\n${JSON.stringify(toJson(ValueSchema, value), null, 2)}`);
    }
  }
  if (task.attempts.length < 2) return;
  output.line("");
  output.table(
    attemptColumns,
    task.attempts.map((attempt) => attemptRow(attempt, nowMs)),
  );
}

/** A state in its colour, with a cancel that is on its way. */
export function stateCell(task: Task): Cell {
  const word = taskStateWord(task.state);
  const color = stateColor(word);
  return { text: task.cancelRequested && word === "running" ? "cancelling" : word, ...(color && { color }) };
}

const attemptColumns: Column[] = [
  { heading: "ATTEMPT", align: "right" },
  { heading: "OUTCOME" },
  { heading: "TOOK", align: "right" },
  { heading: "HOLDER", isFlexible: true },
  { heading: "ERROR", isFlexible: true },
];

function attemptRow(attempt: Attempt, nowMs: number): (Cell | string)[] {
  const color = stateColor(attempt.outcome);
  return [
    String(attempt.number),
    { text: attempt.outcome, ...(color && { color }) },
    took(attempt.startedAt, attempt.finishedAt, nowMs),
    attempt.holder,
    attempt.error ? errorText(attempt.error) : "",
  ];
}

function executionFacts(execution: Execution | undefined): [string, string | undefined][] {
  if (execution === undefined) return [];
  const { image, command, env, mounts, resources, workingDir, network } = execution;
  const limits = resources && [
    resources.cpuMillicores > 0 ? `${resources.cpuMillicores / 1000} cpus` : "",
    resources.memoryBytes > 0n ? formatSize(Number(resources.memoryBytes)) : "",
    resources.pids > 0 ? `${resources.pids} processes` : "",
    resources.gpuCount > 0 ? `${resources.gpuCount} gpus` : "",
  ];
  return [
    ["Image", image || undefined],
    ["Command", command.map(quoteWord).join(" ")],
    ["Env", pairs(env)],
    [
      "Mounts",
      mounts.map((each) => `${each.hostPath}:${each.mountPath}${each.readOnly ? ":ro" : ""}`).join(", ") || undefined,
    ],
    ["Limits", limits?.filter(Boolean).join(", ") || undefined],
    ["Folder", workingDir || undefined],
    ["Network", network || undefined],
  ];
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function attemptText({ attempt, retry }: Task): string | undefined {
  if (attempt === 0) return undefined;
  return retry !== undefined && retry.maxAttempts > 0 ? `${attempt} of ${retry.maxAttempts}` : String(attempt);
}

function note(task: Task): string {
  if (task.error !== undefined) return errorText(task.error);
  return task.pending?.message ?? "";
}
