import type { Json } from "../json.ts";
import type { TaskStart } from "./advance-answer.ts";
import type { StepError, StepRow, Talk, UnitEnd } from "./advance-question.ts";
import type { LlmWork, Step } from "./definition.ts";
import { contextOf } from "./context.ts";
import { endUnit } from "./end-unit.ts";
import { readAnswer } from "./llm-answer.ts";
import type { LlmAnswer, LlmToolCall } from "./llm-call.ts";
import { callFor, memoryTool, rememberTool } from "./llm-task.ts";
import { valueOf } from "./scope.ts";
import { expressionFault } from "./settle.ts";
import type { Sheet } from "./sheet.ts";
import { taskFor } from "./task-for.ts";

// A conversation is a chain of tasks, one call each: the model answers; its tool calls run as tasks and their results
// go into the next call; an answer that breaks the schema is asked for again; a model that fails for good is replaced
// by the next one. What was said so far lies in the row, so any replica can go on.

const defaultTurns = 10;
const defaultReasks = 2;

/** The first call of an LLM step; undefined where something must be read first. */
export function beginTalk(
  sheet: Sheet,
  row: StepRow,
  step: Step,
  work: LlmWork,
): { task: TaskStart; talk: Talk } | { error: StepError } | undefined {
  const context = contextOf(row);
  const prompt = valueOf(sheet, step, context, work.prompt);
  const system = valueOf(sheet, step, context, work.system ?? "");
  const memory = recall(sheet, work);
  if (prompt === undefined || system === undefined || memory === undefined) return undefined;
  if ("fault" in prompt) return { error: expressionFault(`the prompt: ${prompt.fault}`) };
  if ("fault" in system) return { error: expressionFault(`the system prompt: ${system.fault}`) };
  const systemText = [textOf(system.value), memory].filter((part) => part !== "").join("\n\n");
  const talk: Talk = {
    model: 0,
    turn: 1,
    reasks: 0,
    ...(systemText !== "" && { system: systemText }),
    messages: [{ role: "user", text: textOf(prompt.value) }],
    calls: {},
  };
  const task = callFor(sheet, row, step, work, talk);
  return "message" in task ? { error: task } : { task, talk };
}

/** A task of a conversation ended: the model's answer, or a tool's. */
export function hearTask(
  sheet: Sheet,
  row: StepRow,
  step: Step,
  work: LlmWork,
  { taskId, end }: { taskId: string; end: UnitEnd },
): void {
  const talk = row.data?.talk;
  if (talk === undefined) return;
  const call = talk.calls[taskId];
  if (call === undefined && taskId !== row.taskId) return;
  if (end.state !== "completed") {
    const error = end.error ?? { class: end.state, message: `Its task is ${end.state}.` };
    if (call !== undefined) return hearTool(sheet, row, step, work, talk, taskId, { error, isError: true });
    return hearFailure(sheet, row, step, work, talk, error, end.state === "cancelled");
  }
  const result = sheet.question.known.results.get(taskId);
  if (result === undefined) {
    sheet.missing.results.add(taskId);
    return;
  }
  if (call !== undefined) return hearTool(sheet, row, step, work, talk, taskId, { result, isError: false });
  hearModel(sheet, row, step, work, talk, readAnswer(result));
}

function hearModel(sheet: Sheet, row: StepRow, step: Step, work: LlmWork, talk: Talk, answer: LlmAnswer): void {
  const calls = answer.toolCalls ?? [];
  if (calls.length > 0) return callTools(sheet, row, step, work, talk, answer.text, calls);
  if (work.output === undefined) return endTalk(sheet, row, { output: answer.text, isStored: true });
  const { value, faults } = readStructured(sheet, work.output, answer.text);
  if (faults.length === 0) return endTalk(sheet, row, { output: value, isStored: true });
  if (talk.reasks >= (work.maxReasks ?? defaultReasks)) {
    const message = `After ${talk.reasks + 1} answers the model's output still breaks its schema: ${faults.slice(0, 3).join("; ")}.`;
    return endTalk(sheet, row, { error: { class: "invalid_output", message } });
  }
  const text = `Your answer does not fit the required JSON schema: ${faults.slice(0, 10).join("; ")}. Answer again with JSON that fits it, and nothing else.`;
  goOn(sheet, row, step, work, {
    ...talk,
    reasks: talk.reasks + 1,
    messages: [...talk.messages, { role: "assistant", text: answer.text }, { role: "user", text }],
  });
}

/** Starts a task for every tool call; what can be answered at once is. */
function callTools(
  sheet: Sheet,
  row: StepRow,
  step: Step,
  work: LlmWork,
  talk: Talk,
  text: string,
  calls: LlmToolCall[],
): void {
  if (talk.turn >= (work.maxTurns ?? defaultTurns)) {
    const message = `The model asked for tools in ${talk.turn} turns, which is as many as it may have.`;
    return endTalk(sheet, row, { error: { class: "too_many_turns", message } });
  }
  let next: Talk = { ...talk, messages: [...talk.messages, { role: "assistant", text, toolCalls: calls }] };
  const tasks: TaskStart[] = [];
  for (const call of calls) {
    const answer = answerCall(sheet, row, step, work, call);
    if (answer === undefined) return;
    if ("task" in answer) {
      tasks.push(answer.task);
      next = { ...next, calls: { ...next.calls, [answer.task.id]: { id: call.id, name: call.name } } };
    } else {
      const { result, isError } = answer;
      next = {
        ...next,
        messages: [...next.messages, { role: "tool", callId: call.id, name: call.name, result, isError }],
      };
    }
  }
  if (tasks.length === 0) return goOn(sheet, row, step, work, { ...next, turn: next.turn + 1 });
  sheet.tasks.push(...tasks);
  sheet.write(row, { data: { ...row.data, talk: next } });
}

function answerCall(sheet: Sheet, row: StepRow, step: Step, work: LlmWork, call: LlmToolCall) {
  if (work.memory !== undefined && call.name === memoryTool) return rememberTool(sheet, work.memory, call.arguments);
  const tool = work.tools?.find((one) => one.name === call.name);
  if (tool === undefined) {
    const known = work.tools?.map((one) => one.name).join(", ") ?? "";
    return { result: `There is no tool "${call.name}"; there are: ${known || "none"}.`, isError: true };
  }
  const faults = sheet.question.validate(tool.parameters, call.arguments);
  if (faults.length > 0)
    return { result: `The arguments do not fit: ${faults.slice(0, 5).join("; ")}.`, isError: true };
  const task = taskFor(sheet, row, { ...step, ...tool, id: tool.name }, tool.work, {
    ...contextOf(row),
    item: call.arguments,
  });
  if (task === undefined) return undefined;
  if ("message" in task) return { result: task.message, isError: true };
  return { task };
}

function hearTool(
  sheet: Sheet,
  row: StepRow,
  step: Step,
  work: LlmWork,
  talk: Talk,
  taskId: string,
  answer: { result: Json; isError: false } | { error: StepError; isError: true },
): void {
  const { [taskId]: call, ...calls } = talk.calls;
  if (call === undefined) return;
  const tool = work.tools?.find((one) => one.name === call.name);
  if (answer.isError && (tool?.onError === "fail" || sheet.stopping !== undefined)) {
    return endTalk(sheet, row, {
      error: { ...answer.error, message: `Tool "${call.name}" failed: ${answer.error.message}` },
      isCancelled: answer.error.class === "cancelled",
    });
  }
  const result = answer.isError ? `${answer.error.class}: ${answer.error.message}` : answer.result;
  const next: Talk = {
    ...talk,
    calls,
    messages: [...talk.messages, { role: "tool", callId: call.id, name: call.name, result, isError: answer.isError }],
  };
  if (Object.keys(calls).length === 0) return goOn(sheet, row, step, work, { ...next, turn: next.turn + 1 });
  sheet.write(row, { data: { ...row.data, talk: next } });
}

/** A call failed for good: the next model takes over the conversation, where there is one. */
function hearFailure(
  sheet: Sheet,
  row: StepRow,
  step: Step,
  work: LlmWork,
  talk: Talk,
  error: StepError,
  isCancelled: boolean,
): void {
  const hasNext = talk.model + 1 < work.models.length;
  if (isCancelled || !hasNext) return endTalk(sheet, row, { error, isCancelled });
  goOn(sheet, row, step, work, { ...talk, model: talk.model + 1 });
}

function goOn(sheet: Sheet, row: StepRow, step: Step, work: LlmWork, talk: Talk): void {
  if (sheet.stopping !== undefined) {
    const error = { class: "cancelled", message: "Its run ended between two calls." };
    return endTalk(sheet, row, { error, isCancelled: true });
  }
  const task = callFor(sheet, row, step, work, talk);
  if ("message" in task) return endTalk(sheet, row, { error: task });
  sheet.tasks.push(task);
  sheet.write(row, { taskId: task.id, data: { ...row.data, talk } });
}

/** The conversation is over; tools that still run for it are stopped. */
function endTalk(
  sheet: Sheet,
  row: StepRow,
  outcome: { output: Json; isStored: boolean } | { error: StepError; isCancelled?: boolean },
): void {
  sheet.cancels.push(...Object.keys(row.data?.talk?.calls ?? {}));
  sheet.counts.running -= 1;
  endUnit(sheet, row, outcome);
}

function readStructured(
  sheet: Sheet,
  schema: { [keyword: string]: Json },
  text: string,
): { value: Json; faults: string[] } {
  const bare = /^\s*```[a-z]*\n([\s\S]*?)\n?```\s*$/.exec(text)?.[1] ?? text;
  try {
    const value = JSON.parse(bare) as Json;
    return { value, faults: sheet.question.validate(schema, value) };
  } catch {
    return { value: null, faults: ["it is not JSON"] };
  }
}

/** What the agents of a scope remember, as a part of the system prompt; undefined where it must be read first. */
function recall(sheet: Sheet, work: LlmWork): string | undefined {
  if (work.memory === undefined) return "";
  const { scope, maxEntries } = work.memory;
  const read = sheet.question.known.memory.get(scope);
  if (read === undefined) {
    sheet.missing.memory.add(scope);
    return undefined;
  }
  const entries = Object.entries(read).slice(-maxEntries);
  if (entries.length === 0) return "";
  return ["What you remember:", ...entries.map(([key, value]) => `- ${key}: ${textOf(value)}`)].join("\n");
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
