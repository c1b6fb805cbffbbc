import type { Json } from "../../json.ts";
import type { TaskStart } from "./advance-answer.ts";
import type { StepError, StepRow, Talk } from "./advance-question.ts";
import type { LlmWork, Step } from "../definition.ts";
import type { LlmCall, LlmMessage } from "../llm-call.ts";
import type { Sheet } from "./sheet.ts";
import { byteLength } from "../size.ts";
import { maxTaskBytes } from "./task-for.ts";

/** The tool by which a model with memory keeps something for later runs. */
export const memoryTool = "remember";

const bytesPerToken = 3;
const tokensPerMessage = 8;

/** The task of the next call of a conversation. */
export function callFor(sheet: Sheet, row: StepRow, step: Step, work: LlmWork, talk: Talk): TaskStart | StepError {
  const { run } = sheet.question;
  const chosen = work.models[talk.model];
  if (chosen === undefined) return { class: "invalid_execution", message: `Step "${step.id}" names no model.` };
  const tools = (work.tools ?? []).map(({ name, description, parameters }) => ({ name, description, parameters }));
  if (work.memory !== undefined) tools.push(rememberDeclaration);
  const body = {
    ...chosen,
    ...(talk.system !== undefined && { system: talk.system }),
    messages: talk.messages,
    ...(tools.length > 0 && {
      tools: tools.map(({ description, ...rest }) => ({ ...rest, ...(description !== undefined && { description }) })),
    }),
    ...(work.output !== undefined && { outputSchema: work.output }),
  };
  const call: LlmCall = {
    ...body,
    ...(work.temperature !== undefined && { temperature: work.temperature }),
    ...(work.maxOutputTokens !== undefined && { maxOutputTokens: work.maxOutputTokens }),
    inputTokens: estimateTokens(body),
    charge: { workflow: run.workflow, rootRunId: run.rootId, runId: run.id, step: step.id },
    ...(work.isLogged !== undefined && { isLogged: work.isLogged }),
    ...(work.redact !== undefined && { redact: work.redact }),
  };
  const bytes = byteLength(JSON.stringify(call));
  if (bytes > maxTaskBytes) {
    return {
      class: "payload_too_large",
      message: `The conversation of step "${step.id}" has grown to ${bytes} bytes, more than ${maxTaskBytes}; shorten what goes into the prompt.`,
    };
  }
  return {
    id: sheet.question.newId(),
    number: row.number,
    item: row.item,
    class: step.class ?? "llm",
    type: chosen.provider,
    call,
    payload: null,
    priority: step.priority ?? 0,
    timeoutSeconds: step.timeoutSeconds ?? 300,
    retry: step.retry,
  };
}

/** An upper estimate of a call's input: texts rarely make more than a token of three bytes. */
export function estimateTokens(body: {
  system?: string;
  messages: readonly LlmMessage[];
  tools?: unknown;
  outputSchema?: unknown;
}): number {
  const texts = [body.system ?? "", JSON.stringify(body.tools ?? ""), JSON.stringify(body.outputSchema ?? "")];
  const said = body.messages.map((message) =>
    message.role === "user" ? message.text : JSON.stringify({ ...message, role: undefined }),
  );
  const bytes = [...texts, ...said].reduce((sum, text) => sum + byteLength(text), 0);
  return Math.ceil(bytes / bytesPerToken) + tokensPerMessage * (body.messages.length + 1);
}

/** Keeps what a model wants to remember. */
export function rememberTool(sheet: Sheet, memory: { scope: string }, given: Json): { result: Json; isError: boolean } {
  const object = given !== null && typeof given === "object" && !Array.isArray(given) ? given : {};
  const { key, value } = object;
  if (typeof key !== "string" || key === "" || value === undefined) {
    return { result: "Expected a key (text) and a value.", isError: true };
  }
  sheet.memory.push({ scope: memory.scope, key: key.slice(0, 200), value });
  return { result: "remembered", isError: false };
}

const rememberDeclaration = {
  name: memoryTool,
  description: "Keeps a value under a key, for this and later runs.",
  parameters: {
    type: "object",
    properties: { key: { type: "string" }, value: {} },
    required: ["key", "value"],
  } satisfies Json,
};
