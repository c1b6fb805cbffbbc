import type { Json } from "../../json.ts";
import type { TaskStart } from "./advance-answer.ts";
import type { StepError, StepRow, Talk, UnitEnd } from "./advance-question.ts";
import { contextOf } from "./context.ts";
import type { JsonSchema, LlmWork, Step } from "../definition.ts";
import { readAnswer } from "./llm-answer.ts";
import type { LlmAnswer } from "../llm-call.ts";
import { callFor } from "./llm-task.ts";
import { valueOf } from "./scope.ts";
import { expressionFault } from "./settle.ts";
import type { Sheet } from "./sheet.ts";
import { callTools, hearTool } from "./tool-call.ts";
import { endTalk, nextCall, type Turn } from "./turn.ts";

// A conversation is a chain of tasks, one call each: the model answers; its tool calls run as tasks and their results
// go into the next call; an answer that breaks the schema is asked for again; a model that fails for good is replaced
// by the next one. What was said so far lies in the row, so any replica can go on.

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
  const turn: Turn = { sheet, row, step, work, talk };
  if (talk.calls[taskId] !== undefined) return hearTool(turn, taskId, end);
  // While tools run the model has nothing to say.
  if (taskId !== row.taskId || Object.keys(talk.calls).length > 0) return;
  if (end.state !== "completed") return hearFailure(turn, end);
  const result = sheet.question.known.results.get(taskId);
  if (result === undefined) sheet.missing.results.add(taskId);
  else hearModel(turn, readAnswer(result));
}

function hearModel(turn: Turn, answer: LlmAnswer): void {
  const { sheet, row, work, talk } = turn;
  const calls = answer.toolCalls ?? [];
  if (calls.length > 0) return callTools(turn, answer.text, calls);
  if (work.output === undefined) return endTalk(sheet, row, { output: answer.text, isStored: true });
  const { value, faults } = readStructured(sheet, work.output, answer.text);
  if (faults.length === 0) return endTalk(sheet, row, { output: value, isStored: true });
  if (talk.reasks >= (work.maxReasks ?? defaultReasks)) {
    const message = `After ${talk.reasks + 1} answers the model's output still breaks its schema: ${faults.slice(0, 3).join("; ")}.`;
    return endTalk(sheet, row, { error: { class: "invalid_output", message } });
  }
  const text = `Your answer does not fit the required JSON schema: ${faults.slice(0, 10).join("; ")}. Answer again with JSON that fits it, and nothing else.`;
  nextCall({
    ...turn,
    talk: {
      ...talk,
      reasks: talk.reasks + 1,
      messages: [...talk.messages, { role: "assistant", text: answer.text }, { role: "user", text }],
    },
  });
}

/** A call failed for good: the next model takes over the conversation, where there is one. */
function hearFailure(turn: Turn, end: UnitEnd): void {
  const { sheet, row, work, talk } = turn;
  const hasNext = talk.model + 1 < work.models.length;
  if (end.state === "failed" && hasNext) return nextCall({ ...turn, talk: { ...talk, model: talk.model + 1 } });
  const error = end.error ?? { class: end.state, message: `Its task is ${end.state}.` };
  endTalk(sheet, row, { error, isCancelled: end.state === "cancelled" });
}

function readStructured(sheet: Sheet, schema: JsonSchema, text: string): { value: Json; faults: string[] } {
  const bare = /^\s*```[a-z]*\r?\n([\s\S]*?)\r?\n?```\s*$/i.exec(text)?.[1] ?? text;
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
  const entries = new Map(Object.entries(read));
  for (const kept of sheet.memory) {
    if (kept.scope !== scope) continue;
    // The newest stands last, as where it was read.
    entries.delete(kept.key);
    entries.set(kept.key, kept.value);
  }
  const newest = maxEntries > 0 ? [...entries].slice(-maxEntries) : [];
  if (newest.length === 0) return "";
  return ["What you remember:", ...newest.map(([key, value]) => `- ${key}: ${textOf(value)}`)].join("\n");
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
