import type { Json } from "../../json.ts";
import type { TaskStart } from "./advance-answer.ts";
import type { StepError, Talk, UnitEnd } from "./advance-question.ts";
import { contextOf } from "./context.ts";
import type { Tool } from "../definition.ts";
import type { LlmMessage, LlmToolCall } from "../llm-call.ts";
import { memoryTool, rememberTool } from "./llm-task.ts";
import { viewOutput } from "../output.ts";
import { taskFor } from "./task-for.ts";
import { endTalk, nextCall, refusalOf, type Turn } from "./turn.ts";

const defaultTurns = 10;

/** Starts a task for every tool call; what can be answered at once is. */
export function callTools(turn: Turn, text: string, calls: LlmToolCall[]): void {
  const { sheet, row, work, talk } = turn;
  const refused = refusalOf(sheet, row);
  if (refused !== undefined) return endTalk(sheet, row, refused);
  if (talk.turn >= (work.maxTurns ?? defaultTurns)) {
    const message = `The model asked for tools in ${talk.turn} turns, which is as many as it may have.`;
    return endTalk(sheet, row, { error: { class: "too_many_turns", message } });
  }
  const messages: LlmMessage[] = [...talk.messages, { role: "assistant", text, toolCalls: calls }];
  const started: Talk["calls"] = {};
  for (const call of calls) {
    const answer = answerCall(turn, call);
    if (answer === undefined) return;
    if ("task" in answer) {
      sheet.tasks.push(answer.task);
      started[answer.task.id] = { id: call.id, name: call.name };
    } else messages.push({ role: "tool", callId: call.id, name: call.name, ...answer });
  }
  const next: Talk = { ...talk, messages, calls: started };
  if (Object.keys(started).length === 0) return nextCall({ ...turn, talk: { ...next, turn: next.turn + 1 } });
  sheet.write(row, { data: { ...row.data, talk: next } });
}

/** The task of a tool call ended; the last one of a turn leads to the next call, or to the end. */
export function hearTool(turn: Turn, taskId: string, end: UnitEnd): void {
  const { sheet, row, work, talk } = turn;
  const { [taskId]: call, ...calls } = talk.calls;
  if (call === undefined) return;
  const tool = work.tools?.find((one) => one.name === call.name);
  const answer = answerOf(turn, tool, taskId, end);
  if (answer === undefined) return;
  const message: LlmMessage = { role: "tool", callId: call.id, name: call.name, ...answer };
  const failure = talk.failure ?? failureOf(tool, call.name, end);
  const next: Talk = {
    ...talk,
    calls,
    messages: [...talk.messages, message],
    ...(failure !== undefined && { failure }),
  };
  const others = Object.keys(calls);
  if (others.length > 0) {
    // The step fails once the others have ended too: nothing of it may outlive it.
    if (failure !== undefined && talk.failure === undefined) sheet.cancels.push(...others);
    sheet.write(row, { data: { ...row.data, talk: next } });
    return;
  }
  const refused = refusalOf(sheet, row) ?? (failure && { error: failure });
  if (refused !== undefined) return endTalk(sheet, row, refused);
  nextCall({ ...turn, talk: { ...next, turn: next.turn + 1 } });
}

function answerCall(
  { sheet, row, step, work }: Turn,
  call: LlmToolCall,
): { task: TaskStart } | { result: Json; isError: boolean } | undefined {
  if (call.fault !== undefined) return { result: `The arguments cannot be read: ${call.fault}.`, isError: true };
  if (work.memory !== undefined && call.name === memoryTool) return rememberTool(sheet, work.memory, call.arguments);
  const tool = work.tools?.find((one) => one.name === call.name);
  if (tool === undefined) {
    const known = work.tools?.map((one) => one.name).join(", ") ?? "";
    return { result: `There is no tool "${call.name}"; there are: ${known || "none"}.`, isError: true };
  }
  const faults = sheet.question.validate(tool.parameters, call.arguments);
  if (faults.length > 0) {
    return { result: `The arguments do not fit: ${faults.slice(0, 5).join("; ")}.`, isError: true };
  }
  const task = taskFor(
    sheet,
    row,
    {
      id: `${step.id}.${tool.name}`,
      ...(tool.class !== undefined && { class: tool.class }),
      ...(tool.timeoutSeconds !== undefined && { timeoutSeconds: tool.timeoutSeconds }),
      ...(step.priority !== undefined && { priority: step.priority }),
    },
    tool.work,
    { ...contextOf(row), input: call.arguments },
  );
  if (task === undefined) return undefined;
  return "message" in task ? { result: task.message, isError: true } : { task };
}

function answerOf(
  { sheet }: Turn,
  tool: Tool | undefined,
  taskId: string,
  end: UnitEnd,
): { result: Json; isError: boolean } | undefined {
  if (end.state !== "completed") {
    const { class: word, message } = errorOf(end);
    return { result: `${word}: ${message}`, isError: true };
  }
  const result = sheet.question.known.results.get(taskId);
  if (result !== undefined) {
    return { result: tool === undefined ? result : viewOutput(tool.work, result), isError: false };
  }
  sheet.missing.results.add(taskId);
  return undefined;
}

function failureOf(tool: Tool | undefined, name: string, end: UnitEnd): StepError | undefined {
  if (end.state === "completed" || tool?.onError !== "fail") return undefined;
  const { class: word, message } = errorOf(end);
  return { class: word, message: `Tool "${name}" failed: ${message}` };
}

function errorOf(end: UnitEnd): StepError {
  return end.error ?? { class: end.state, message: `Its task is ${end.state}.` };
}
