import { type WorkflowFormat, workflowFormats } from "@drover/domain/workflow/definition";
import type { Workflow } from "@drover/proto/drover/workflow";
import { type Fault, readWorkflow, type WorkflowReading } from "@drover/workflow/read-workflow";
import { type GraphStep, stepsOfGraph, stepsOfMessage } from "./graph-view.ts";
import { textOption } from "./option.ts";
import { readText } from "./text-file.ts";
import type { World } from "./world.ts";

/** A workflow as it stands in a file. */
export interface WorkflowFile {
  /** As it is shown: the path, or what stands for standard input. */
  name: string;
  text: string;
}

export const fileArgument = { name: "FILE", doc: "A workflow in YAML or JSON; - for standard input." };

/** The flag that names the format of a file. */
export const sourceOptions = {
  format: textOption({
    doc: "Its format; recognised without it.",
    placeholder: workflowFormats.join("|"),
    pattern: new RegExp(`^(${workflowFormats.join("|")})$`),
    expects: `one of ${workflowFormats.join(", ")}`,
  }),
} as const;

/** Reads a workflow's file. */
export async function readWorkflowFile(
  path: string,
  world: Pick<World, "stdin">,
  commandName: string,
): Promise<WorkflowFile> {
  const text = await readText(path, world, `drover ${commandName} --help`);
  return { name: path === "-" ? "standard input" : path, text };
}

/** Whether a word means a file and not the name of a workflow, which has no slash. */
export function isFileName(word: string): boolean {
  return word === "-" || word.includes("/") || /\.(ya?ml|json)$/i.test(word);
}

/** Compiles a file without asking a server. */
export function compile({ text }: WorkflowFile, format: string | undefined): WorkflowReading {
  const known = workflowFormats.find((one): one is WorkflowFormat => one === format);
  return readWorkflow({ text, ...(known && { format: known }) });
}

/** The steps of a saved workflow. Its source tells more than the server does, where we can read it. */
export function stepsOfWorkflow(workflow: Workflow): GraphStep[] {
  const reading = compile({ name: workflow.name, text: workflow.source }, workflow.format);
  return "faults" in reading ? stepsOfMessage(workflow) : stepsOfGraph(reading.definition);
}

/** A fault for programs. */
export function faultJson({ message, hint, line, column, path }: Fault): Record<string, unknown> {
  return { line, column, path, message, ...(hint !== undefined && { hint }) };
}
