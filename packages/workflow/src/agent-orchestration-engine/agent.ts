import type { LlmWork, Step } from "@drover/domain/workflow/definition";
import { printReference } from "@drover/domain/workflow/expression/reference";
import type { Draft, Use } from "../check/draft.ts";
import { providerOf } from "../provider.ts";
import { compileTools, splitModel } from "../drover/llm.ts";
import { tool as toolShape } from "../drover/step-shape.ts";
import { taskKinds } from "../drover/kind.ts";
import { present } from "../drover/task.ts";
import type { Placed } from "@drover/document/shape/shape";
import { fillPlaceholders } from "../shape/placeholder.ts";
import { quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { describe, isObject } from "@drover/document/source/value";
import type { Json } from "@drover/domain/json";
import type { RawAgent } from "./document.ts";

/** From this priority on an agent's failure ends the run. */
const criticalPriority = 8;

/** Compiles an agent: one call of a model, given what other agents said. */
export function compileAgent({ value: raw, at }: Placed<RawAgent>, names: readonly string[], report: Report): Draft {
  const uses: Use[] = [];
  const prompt = promptOf(raw, names, report);
  uses.push({ at: raw.prompt_template.at, template: prompt });
  const { temperature = 0.7, max_tokens = 1000 } = raw.llm_config ?? {};
  const tools = toolsOf(raw, report, uses);
  const work: LlmWork = {
    kind: "llm",
    models: [modelOf(raw, report)],
    prompt,
    temperature,
    maxOutputTokens: max_tokens,
    ...(tools.length > 0 && { tools }),
  };
  const { priority = 5, max_retries = 3, timeout = 300, cost_limit = 1e9, description } = raw;
  const step: Step = {
    id: raw.name.value,
    ...present({ name: description }),
    work,
    retry: { maxAttempts: max_retries + 1 },
    timeoutSeconds: Math.ceil(timeout),
    priority,
    budgetNanos: cost_limit,
    ...(priority >= criticalPriority && { isCritical: true }),
  };
  const needs = (raw.dependencies ?? []).map(({ value, at: place }) => ({ from: value, at: place }));
  return { step, at: raw.name.at ?? at, needs, uses };
}

/** `{AgentName}` is what that agent said, `{input.x}` a part of the run's input. */
function promptOf({ prompt_template: { value, at } }: RawAgent, names: readonly string[], report: Report): string {
  return fillPlaceholders(value, ({ whole, path: [root, ...path], offset }) => {
    if (root === "input") return `\${${printReference("input", path)}}`;
    const name = [root, ...path].join(".");
    if (names.includes(name)) return `\${${printReference("steps", [name, "output"])}}`;
    if (names.includes(root)) return `\${${printReference("steps", [root, "output", ...path])}}`;
    report.addInside(
      at,
      { offset, length: whole.length },
      `Expected the name of an agent or input.<name>, got ${quote(whole)}.`,
      {
        hint:
          suggest(root, names).hint?.startsWith("Did") === true
            ? (suggest(root, names).hint ?? "")
            : `Write {${whole}} where the braces mean themselves.`,
      },
    );
    return undefined;
  });
}

function modelOf({ llm_config, name }: RawAgent, report: Report): LlmWork["models"][number] {
  if (llm_config === undefined) {
    report.add(name.at, `Expected llm_config with a model for the agent ${quote(name.value)}, got none.`);
    return { provider: "", model: "" };
  }
  const { value: model, at } = llm_config.model;
  const provider = llm_config.provider ?? providerOf(model);
  if (provider !== undefined) return { provider, model };
  if (/^[^/\s]+\/\S+$/.test(model)) return splitModel(model);
  report.add(at, `Expected a model whose provider its name tells, got ${quote(model)}.`, {
    hint: "Write it as provider/model, such as ollama/llama3.",
  });
  return { provider: "", model };
}

function toolsOf({ tools = [] }: RawAgent, report: Report, uses: Use[]): NonNullable<LlmWork["tools"]> {
  const built = tools.flatMap(({ value, at }) => {
    const isRun = Object.keys(taskKinds).some((kind) => isObject(value) && value[kind] !== undefined);
    if (!isRun) {
      report.add(at, `The tool ${nameOf(value)} is not built.`, {
        hint: "Take it out, or say what runs it: command or run, with an image, or worker.",
      });
      return [];
    }
    const raw = toolShape.read(at, report);
    return raw === undefined ? [] : [{ value: raw, at }];
  });
  return compileTools(built, { report, uses, names: [] });
}

function nameOf(tool: Json): string {
  if (!isObject(tool)) return describe(tool);
  const inner = isObject(tool["function"]) ? tool["function"]["name"] : undefined;
  return describe(tool["name"] ?? inner);
}
