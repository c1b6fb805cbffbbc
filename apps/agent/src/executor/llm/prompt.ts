import type {
  JSONSchema7,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
} from "@ai-sdk/provider";
import type { Json } from "@drover/domain/json";
import type { LlmCall, LlmMessage, LlmToolCall } from "@drover/domain/workflow/llm-call";

export interface PromptOptions {
  maxOutputTokens: number;
  /** `native`: the provider's own way to ask for JSON of a form. `told`: by instructions, for those who have none. */
  schema: "native" | "told";
}

/** A call as the client libraries take it. */
export function promptOf(call: LlmCall, { maxOutputTokens, schema }: PromptOptions): LanguageModelV4CallOptions {
  const { system, outputSchema, temperature, tools = [] } = call;
  const told = outputSchema !== undefined && schema === "told" ? instructions(outputSchema) : undefined;
  const orders = [system, told].filter((text) => text !== undefined && text !== "").join("\n\n");
  const prompt: LanguageModelV4Prompt = [
    ...(orders === "" ? [] : [{ role: "system" as const, content: orders }]),
    ...call.messages.map(messageOf),
  ];
  return {
    prompt,
    maxOutputTokens,
    ...(temperature !== undefined && { temperature }),
    ...(outputSchema !== undefined &&
      schema === "native" && {
        responseFormat: { type: "json" as const, schema: outputSchema as JSONSchema7, name: "answer" },
        // Strict forms must be closed and complete; others are refused by providers that are told to be strict.
        providerOptions: { openaiCompatible: { strictJsonSchema: isStrictForm(outputSchema) } },
      }),
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, parameters }) => ({
        type: "function" as const,
        name,
        ...(description !== undefined && { description }),
        inputSchema: parameters as JSONSchema7,
      })),
    }),
  };
}

function messageOf(message: LlmMessage): LanguageModelV4Message {
  switch (message.role) {
    case "user":
      return { role: "user", content: [{ type: "text", text: message.text }] };
    case "assistant":
      return {
        role: "assistant",
        content: [
          ...(message.text === "" ? [] : [{ type: "text" as const, text: message.text }]),
          ...(message.toolCalls ?? []).map(toolCallOf),
        ],
      };
    case "tool": {
      const output = { type: message.isError ? ("error-json" as const) : ("json" as const), value: message.result };
      return {
        role: "tool",
        content: [{ type: "tool-result", toolCallId: message.callId, toolName: message.name, output }],
      };
    }
  }
}

function toolCallOf({ id, name, arguments: input, providerData }: LlmToolCall) {
  const isObject = typeof input === "object" && input !== null && !Array.isArray(input);
  return {
    type: "tool-call" as const,
    toolCallId: id,
    toolName: name,
    // What a model sent as arguments and was none goes back as what it was; providers take objects only.
    input: isObject ? input : { text: input },
    ...(providerData && { providerOptions: providerData }),
  };
}

function instructions(schema: Json): string {
  return `Answer with JSON only, without any words around it, that is valid under this JSON Schema:\n${JSON.stringify(schema)}`;
}

function isStrictForm(schema: Json): boolean {
  if (Array.isArray(schema)) return schema.every(isStrictForm);
  if (typeof schema !== "object" || schema === null) return true;
  const { properties, required } = schema;
  if (schema["type"] === "object" || properties !== undefined) {
    const names = typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
    const isComplete = names.every((name) => Array.isArray(required) && required.includes(name));
    if (schema["additionalProperties"] !== false || !isComplete) return false;
  }
  return Object.values(schema).every(isStrictForm);
}
