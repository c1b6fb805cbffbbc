import { toJson } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { formatMoney } from "@drover/domain/money";
import { type Run, RunSchema, type RunStatistics, type RunStep, RunStepSchema } from "@drover/proto/drover/run";
import { formatDuration } from "./duration.ts";
import { errorText, moment, pairs, took } from "./fact.ts";
import { layoutGraph, type LayoutLine } from "./graph-layout.ts";
import { groupDigits } from "./progress.ts";
import type { Cell, Column } from "./table.ts";
import { runStateWord, stateColor, stepStateWord } from "./word.ts";

/** A run for programs: the JSON of the contract, with the words of the product for states. */
export function runJson(run: Run): Record<string, unknown> {
  const json = toJson(RunSchema, run, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  return { ...json, state: runStateWord(run.state), steps: run.steps.map(stepJson) };
}

/** A step for programs. */
export function stepJson(step: RunStep): Record<string, unknown> {
  const json = toJson(RunStepSchema, step, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  return { ...json, state: stepStateWord(step.state) };
}

export const runColumns: Column[] = [
  { heading: "RUN" },
  { heading: "WORKFLOW" },
  { heading: "STATE" },
  { heading: "STEPS", align: "right" },
  { heading: "AGE", align: "right" },
  { heading: "TOOK", align: "right" },
  { heading: "NOTE", isFlexible: true },
];

/** A run as a row of the list. */
export function runRow(run: Run, nowMs: number): (Cell | string)[] {
  const { id, workflow, version, statistics, createdAt, startedAt, finishedAt, error } = run;
  return [
    id,
    `${workflow} ${version}`,
    runStateCell(run),
    statistics === undefined ? "" : `${endedOf(statistics)} of ${statistics.total}`,
    createdAt === undefined ? "" : formatDuration(nowMs - timestampMs(createdAt)),
    took(startedAt, finishedAt, nowMs),
    error === undefined ? "" : errorText(error),
  ];
}

/** What a person wants to know of a run first. */
export function runFacts(run: Run, nowMs: number): [string, Cell | string][] {
  const { statistics, error, finishedAt, startedAt } = run;
  const input = run.input === undefined ? "{}" : JSON.stringify(run.input);
  const facts: [string, Cell | string | undefined][] = [
    ["Run", run.id],
    ["Workflow", `${run.workflow} version ${run.version}`],
    ["State", runStateCell(run)],
    ["Steps", statistics && statisticsText(statistics)],
    ["Cost", statistics && costText(statistics)],
    ["Error", error && { text: errorText(error), color: "red" as const }],
    ["Cancelled", run.cancelReason || undefined],
    ["Inside", run.parentRunId || undefined],
    ["Labels", pairs(run.labels)],
    ["Key", run.idempotencyKey || undefined],
    ["Input", input === "{}" ? undefined : input.length > 200 ? `${input.slice(0, 200)}…` : input],
    ["Asked for", moment(run.createdAt, nowMs)],
    ["Started", moment(startedAt, nowMs)],
    ["Finished", moment(finishedAt, nowMs)],
    [finishedAt === undefined ? "Runs for" : "Took", took(startedAt, finishedAt, nowMs) || undefined],
    ["Deadline", finishedAt === undefined ? moment(run.deadlineAt, nowMs) : undefined],
  ];
  return facts.filter((fact): fact is [string, Cell | string] => fact[1] !== undefined);
}

/** A state in its colour, with a cancel that is on its way. */
export function runStateCell({ state, cancelReason }: Run): Cell {
  const word = runStateWord(state);
  const color = stateColor(word);
  const text = cancelReason !== "" && word === "running" ? "cancelling" : word.replace("_", " ");
  return { text, ...(color && { color }) };
}

/** `7: 5 completed, 1 running, 1 pending`. */
export function statisticsText(statistics: RunStatistics): string {
  const words = ["completed", "failed", "cancelled", "skipped", "running", "pending"] as const;
  const parts = words.flatMap((word) => (statistics[word] > 0 ? [`${groupDigits(statistics[word])} ${word}`] : []));
  return [groupDigits(statistics.total), parts.join(", ")].filter(Boolean).join(": ");
}

/** `0.0042 USD, 1,200 tokens in 3 calls`; undefined where no model was called. */
export function costText({ costNanos, calls, inputTokens, outputTokens, gpuMs }: RunStatistics): string | undefined {
  const gpu = gpuMs > 0n ? `${formatDuration(Number(gpuMs))} of GPUs` : undefined;
  if (calls === 0n) return gpu;
  const tokens = `${groupDigits(inputTokens + outputTokens)} tokens in ${calls === 1n ? "1 call" : `${groupDigits(calls)} calls`}`;
  return [formatMoney(costNanos), tokens, gpu].filter(Boolean).join(", ");
}

/** How many steps have ended, one way or the other. */
export function endedOf({ completed, failed, skipped, cancelled }: RunStatistics): number {
  return completed + failed + skipped + cancelled;
}

export const runStepColumns: Column[] = [
  { heading: "STEP", isFlexible: true },
  { heading: "STATE" },
  { heading: "ITEMS", align: "right" },
  { heading: "TOOK", align: "right" },
  { heading: "NOTE", isFlexible: true },
];

/** How the steps of a run are drawn below each other. */
export function layoutRun({ steps }: Run): LayoutLine[] {
  return layoutGraph(steps);
}

/** A step as a row of the tree. */
export function runStepRow(step: RunStep, prefix: string, nowMs: number, remark = ""): (Cell | string)[] {
  return [
    prefix + step.id,
    stepStateCell(step),
    step.itemsTotal > 0 ? `${groupDigits(step.itemsEnded)}/${groupDigits(step.itemsTotal)}` : "",
    took(step.startedAt, step.finishedAt, nowMs),
    stepNote(step) || remark,
  ];
}

/** A step's state in its colour. */
export function stepStateCell({ state }: RunStep): Cell {
  const word = stepStateWord(state);
  const color = stateColor(word);
  return { text: word, ...(color && { color }) };
}

/** What there is to say about a step: its error, and in which nested run; or what it waits for. */
export function stepNote({ error, waitingFor, state, childRunId }: RunStep): string {
  if (error === undefined)
    return waitingFor === "" || waitingFor.startsWith("until ") ? waitingFor : `for ${waitingFor}`;
  // Why a step was skipped is its error's class.
  if (stepStateWord(state) === "skipped") return error.message || error.class.replaceAll("_", " ");
  return childRunId === "" ? errorText(error) : `${errorText(error)} (${childRunId})`;
}
