import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import type { Json } from "@drover/domain/json";
import type { Definition, Step, WorkflowFormat } from "@drover/domain/workflow/definition";
import { readWorkflow } from "./read-workflow.ts";

/** The text of one of the examples. */
export function readExample(name: string): string {
  return readFileSync(new URL(`../example/${name}`, import.meta.url), "utf8");
}

/** The definition of a text that must be right. */
export function compile(text: string, format?: WorkflowFormat): Definition {
  const reading = readWorkflow({ text, ...(format && { format }) });
  if ("faults" in reading) throw new Error(reading.faults.map(({ line, message }) => `${line}: ${message}`).join("\n"));
  return reading.definition;
}

/** A step of a definition. */
export function stepOf({ steps }: Pick<Definition, "steps">, id: string): Step {
  const step = steps.find((one) => one.id === id);
  if (step === undefined) throw new Error(`Expected a step ${id}, got ${steps.map((one) => one.id).join(", ")}.`);
  return step;
}

/** The faults of a text as `line:column message`. */
export function faultsOf(text: string): string[] {
  const reading = readWorkflow({ text });
  return "faults" in reading ? reading.faults.map(({ line, column, message }) => `${line}:${column} ${message}`) : [];
}

/** The messages about an object that was handed in as JSON. */
export function messagesOf(json: Json): string[] {
  const reading = readWorkflow({ json });
  return "faults" in reading ? reading.faults.map(({ message }) => message) : [];
}

/** A workflow of Drover's own format around steps. */
export function droverWith(steps: Json, more: { [key: string]: Json } = {}): string {
  return stringify({ drover: "workflow/v1", name: "test", ...more, steps });
}
