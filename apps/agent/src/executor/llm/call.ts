import type { LlmCall } from "@drover/domain/workflow/llm-call";
import { DroverError } from "@drover/domain/error";
import { z } from "zod";

/** Reads a call from the execution of a task. Throws `invalid` with what is wrong with it. */
export function readCall(execution: unknown): LlmCall {
  const read = callForm.safeParse(execution);
  // Checked against the form, which the types above and below keep equal.
  if (read.success) return read.data as LlmCall;
  const faults = read.error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  throw new DroverError("invalid", `Expected a call to a model, got an execution that is none: ${faults.join("; ")}.`);
}

const json = z.json();
const schema = z.record(z.string(), json);
const toolCall = z.object({
  id: z.string(),
  name: z.string(),
  arguments: json,
  fault: z.string().optional(),
  providerData: z.record(z.string(), z.record(z.string(), json)).optional(),
});
const message = z.discriminatedUnion("role", [
  z.object({ role: z.literal("user"), text: z.string() }),
  z.object({ role: z.literal("assistant"), text: z.string(), toolCalls: z.array(toolCall).optional() }),
  z.object({
    role: z.literal("tool"),
    callId: z.string(),
    name: z.string(),
    result: json,
    isError: z.boolean().optional(),
  }),
]);
const callForm = z.object({
  provider: z.string().min(1),
  model: z.string().min(1),
  system: z.string().optional(),
  messages: z.array(message).min(1),
  tools: z.array(z.object({ name: z.string(), description: z.string().optional(), parameters: schema })).optional(),
  outputSchema: schema.optional(),
  temperature: z.number().optional(),
  maxOutputTokens: z.int().positive().optional(),
  inputTokens: z.number().default(0),
  charge: z.record(z.string(), json).default({}),
  isLogged: z.boolean().optional(),
  redact: z.array(z.string()).optional(),
});
