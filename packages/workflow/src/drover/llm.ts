import type { LlmWork, Tool } from "@drover/domain/workflow/definition";
import { patternCost } from "../check/pattern.ts";
import type { Placed } from "@drover/document/shape/shape";
import { sentence } from "../shape/template.ts";
import { quote } from "@drover/document/source/fault";
import type { Value } from "@drover/document/source/value";
import { kindOf, taskKinds } from "./kind.ts";
import type { RawStep, RawTool } from "./step-shape.ts";
import { compileTask, present, use, type Compile } from "./task.ts";

/** Compiles a call of a model with all that may follow from it. */
export function compileLlm(raw: NonNullable<RawStep["llm"]>, compile: Compile): LlmWork {
  return {
    kind: "llm",
    models: raw.model.map(({ value }) => splitModel(value)),
    prompt: use(raw.prompt, compile) ?? "",
    ...present<Partial<LlmWork>>({
      system: use(raw.system, compile),
      temperature: raw.temperature,
      maxOutputTokens: raw.maxOutputTokens,
      output: raw.output,
      maxReasks: raw.reask,
      tools: raw.tools && compileTools(raw.tools, compile),
      maxTurns: raw.maxTurns,
      memory: raw.memory && { scope: raw.memory.scope, maxEntries: raw.memory.maxEntries ?? 50 },
      isLogged: raw.log,
      redact: raw.redact && safePatterns(raw.redact, compile),
    }),
  };
}

/** `openai/gpt-4o` as a provider and its name for a model, which may have slashes of its own. */
export function splitModel(name: string): { provider: string; model: string } {
  const slash = name.indexOf("/");
  return { provider: name.slice(0, slash), model: name.slice(slash + 1) };
}

/** Compiles what a model may call. */
export function compileTools(tools: readonly Placed<RawTool>[], compile: Compile): Tool[] {
  const names = new Set<string>();
  return tools.flatMap(({ value: raw, at }): Tool[] => {
    if (names.has(raw.name)) compile.report.add(at, `Expected each tool once, got ${quote(raw.name)} again.`);
    names.add(raw.name);
    const kind = kindOf(at, compile.report, {
      kinds: taskKinds,
      own: ["name", "description", "parameters", "class", "timeout", "onError"],
      name: "a tool",
    });
    if (kind === undefined) return [];
    const parameters = raw.parameters ?? { type: "object", properties: {}, additionalProperties: false };
    const work = compileTask(raw, at, { ...compile, input: parameters });
    return [
      present<Tool>({
        name: raw.name,
        description: raw.description,
        parameters,
        work,
        class: raw.class,
        timeoutSeconds: raw.timeout && Math.ceil(raw.timeout),
        onError: raw.onError ?? "tell",
      }),
    ];
  });
}

function safePatterns(patterns: readonly Placed<string>[], { report }: Compile): string[] {
  return patterns.flatMap(({ value, at }: { value: string; at: Value }) => {
    const cost = patternCost(value);
    if (!("fault" in cost)) return [value];
    report.add(at, `${sentence(cost.fault)}.`);
    return [];
  });
}
