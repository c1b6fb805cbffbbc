import type { Json } from "@drover/domain/json";
import type { JsonSchema, LlmWork, Step, Tool } from "@drover/domain/workflow/definition";
import { kindOf, taskKinds } from "../drover/kind.ts";
import { compileTask, present } from "../drover/task.ts";
import type { Draft, Use } from "../check/draft.ts";
import { providerOf } from "../provider.ts";
import type { Placed } from "@drover/document/shape/shape";
import { eitherOf, quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { fieldOf } from "@drover/document/source/value";
import { compileCode } from "./code.ts";
import type { RawLlm, RawMemory, RawNode, RawTool } from "./document.ts";
import { toTemplate } from "./prompt.ts";
import { knownTypes, plainType, typeSchema } from "./state-type.ts";

/** What all nodes share. */
export interface NodeFacts {
  workflow: string;
  report: Report;
  /** Types and schemas of the state fields. */
  fields: ReadonlyMap<string, { type: string; schema?: Json }>;
  llm: RawLlm;
  memory: RawMemory | undefined;
  maxRetries: number;
}

/** Compiles a node: a call of a model, or code in a sandbox. */
export function compileNode({ value: raw }: Placed<RawNode>, facts: NodeFacts): Draft {
  const { report, fields } = facts;
  const uses: Use[] = [];
  const names = [...fields.keys()];
  const inputs = new Map<string, string>();
  for (const [name, { value, at: place }] of raw.inputs ?? []) {
    const text = /^\s*[\w.]+\s*$/.test(value) ? `{${value.trim()}}` : value;
    inputs.set(name, toTemplate(text, place, { inputs: new Map(), fields: names }, report));
  }
  const types = outputTypes(raw, facts);
  refuseUnbuilt(raw, report);
  const base = { id: raw.id.value, ...present({ name: raw.name ?? raw.description }) };
  const retry = { maxAttempts: facts.maxRetries + 1 };
  if (raw.code !== undefined) {
    const isSingle =
      plainType(raw.output_schema.value.type.value) !== "object" || raw.output_schema.value.fields === undefined;
    const given: Json = raw.inputs === undefined ? "${state}" : Object.fromEntries(inputs);
    const code = {
      code: raw.code.value,
      inputs: given,
      outputs: Object.fromEntries(types),
      isSingle,
      sandbox: raw.sandbox,
    };
    const writes = Object.fromEntries([...types.keys()].map((name) => [name, `\${output.${name}}`]));
    return { step: { ...base, ...compileCode(code, report), writes, retry }, at: raw.id.at, needs: [], uses };
  }
  if (raw.sandbox !== undefined)
    report.add(raw.sandbox.at, "Expected a sandbox only on a node with code, got it on one that calls a model.", {
      hint: "Take it out.",
    });
  const prompt = toTemplate(raw.prompt.value, raw.prompt.at, { inputs, fields: names }, report);
  uses.push({ at: raw.prompt.at, template: prompt });
  const isText = types.size === 1 && plainType(raw.output_schema.value.type.value) === "str";
  const [single = ""] = types.keys();
  const writes = isText
    ? { [single]: "${output}" }
    : Object.fromEntries([...types.keys()].map((name) => [name, `\${output.${name}}`]));
  const work: LlmWork = {
    kind: "llm",
    models: [modelOf({ ...facts.llm, ...raw.llm }, raw, report)],
    prompt,
    ...llmSettings({ ...facts.llm, ...raw.llm }),
    ...(isText ? {} : { output: answerSchema(raw, types, facts) }),
    maxReasks: Math.min(10, facts.maxRetries),
    ...present<Partial<LlmWork>>({
      tools: raw.tools && raw.tools.length > 0 ? compileTools(raw.tools, report, uses) : undefined,
      memory: memoryOf({ ...facts.memory, ...raw.memory }, facts.workflow, raw.id.value),
      isLogged: raw.log_prompts,
    }),
  };
  return { step: { ...base, work, writes, retry } satisfies Step, at: raw.id.at, needs: [], uses };
}

/** Types by output, where outputs, output_schema and state say the same. */
function outputTypes(raw: RawNode, { fields, report }: NodeFacts): Map<string, string> {
  const { type, fields: parts } = raw.output_schema.value;
  const outputs = raw.outputs.map(({ value }) => value);
  for (const { value, at } of raw.outputs) {
    if (!fields.has(value))
      report.add(at, `Expected a state field, got ${quote(value)}.`, () => suggest(value, [...fields.keys()]));
  }
  const isObject = plainType(type.value) === "object" && parts !== undefined && parts.length > 0;
  if (!isObject) {
    if (plainType(type.value) === "object")
      report.add(type.at, 'Expected "fields" in an output_schema of type object, got none.');
    else if (outputs.length !== 1)
      report.add(type.at, `Expected one output for an output_schema of type ${type.value}, got ${outputs.length}.`, {
        hint: "Write type: object with a field for each output.",
      });
  }
  const declared = isObject
    ? parts.map(({ name, type: one }) => ({ name, type: one }))
    : outputs.slice(0, 1).map((name) => ({ name: { value: name, at: type.at }, type }));
  const known = new Set(declared.map(({ name }) => name.value));
  for (const { value, at } of raw.outputs) {
    if (isObject && !known.has(value))
      report.add(
        at,
        `Expected ${quote(value)} among the fields of output_schema, got ${eitherOf([...known].map(quote))}.`,
      );
  }
  for (const { name, type: one } of declared) {
    if (!outputs.includes(name.value))
      report.add(name.at, `Expected ${quote(name.value)} among the outputs, got ${eitherOf(outputs.map(quote))}.`);
    const state = fields.get(name.value);
    if (state !== undefined && plainType(state.type) !== plainType(one.value))
      report.add(one.at, `Expected the type of the state field ${quote(name.value)}, ${state.type}, got ${one.value}.`);
  }
  return new Map(declared.map(({ name, type: one }) => [name.value, one.value]));
}

function answerSchema(raw: RawNode, types: ReadonlyMap<string, string>, { fields, report }: NodeFacts): JsonSchema {
  const { fields: parts = [], description, type: whole } = raw.output_schema.value;
  const properties = [...types].map(([name, type]): [string, JsonSchema] => {
    const part = parts.find((one) => one.name.value === name);
    const given = part?.schema?.value ?? fields.get(name)?.schema;
    const schema = typeSchema(type, given);
    if (schema === undefined) report.add(part?.type.at ?? whole.at, `Expected ${knownTypes}, got ${quote(type)}.`);
    return [name, { ...schema, ...(part?.description ? { description: part.description } : {}) }];
  });
  return {
    type: "object",
    ...(description ? { description } : {}),
    properties: Object.fromEntries(properties),
    required: [...types.keys()],
    additionalProperties: false,
  };
}

function modelOf({ provider, model }: RawLlm, raw: RawNode, report: Report): LlmWork["models"][number] {
  if (model === undefined) {
    report.add(raw.id.at, `Expected a model for node ${quote(raw.id.value)}, got none.`, {
      hint: "Write config.llm with provider and model, or llm on the node.",
    });
    return { provider: "", model: "" };
  }
  const known = provider ?? providerOf(model);
  if (known === undefined)
    report.add(raw.id.at, `Expected a provider for the model ${quote(model)}, got none.`, {
      hint: "Write llm.provider.",
    });
  return { provider: known ?? "", model };
}

function llmSettings({ temperature, max_tokens }: RawLlm): Partial<LlmWork> {
  return present<Partial<LlmWork>>({ temperature, maxOutputTokens: max_tokens });
}

function memoryOf(
  { enabled = false, default_scope = "agent", max_entries = 50 }: RawMemory,
  workflow: string,
  node: string,
): LlmWork["memory"] {
  const scopes = { agent: "agent", workflow: `workflow/${workflow}`, node: `node/${workflow}/${node}` };
  return enabled ? { scope: scopes[default_scope], maxEntries: max_entries } : undefined;
}

function compileTools(tools: readonly Placed<RawTool>[], report: Report, uses: Use[]): Tool[] {
  return tools.flatMap(({ value: { name, on_error = "fail", config }, at }): Tool[] => {
    if (config === undefined || config.at.fields?.size === 0) {
      report.add(at, `The tool ${quote(name)} is not built.`, {
        hint: "Take it out, or say in its config what runs it: command or run, with an image, or worker.",
      });
      return [];
    }
    const place = fieldOf(at, "config") ?? at;
    const kind = kindOf(place, report, {
      kinds: taskKinds,
      own: ["description", "parameters"],
      name: `the config of the tool ${quote(name)}`,
    });
    if (kind === undefined) return [];
    const { description, parameters = { type: "object" }, ...task } = config.value;
    const work = compileTask(task, place, { report, uses, names: [], input: parameters });
    return [present<Tool>({ name, description, parameters, work, onError: on_error === "continue" ? "tell" : "fail" })];
  });
}

function refuseUnbuilt({ log_artifacts, tools, code }: RawNode, report: Report): void {
  if (log_artifacts?.value === true)
    report.add(log_artifacts.at, "log_artifacts is not built: what a step leaves is its output.", {
      hint: "Take it out.",
    });
  const [tool] = tools ?? [];
  if (code !== undefined && tool !== undefined)
    report.add(tool.at, "Expected tools only on a node that calls a model, got them with code.");
}
