import { type WorkflowFormat, workflowFormats } from "@drover/domain/workflow/definition";
import type { Workflow } from "@drover/proto/drover/workflow";
import { readWorkflow, type WorkflowReading } from "@drover/workflow/read-workflow";
import { type GraphStep, stepsOfGraph, stepsOfMessage } from "./graph-view.ts";
import { textOption } from "./option.ts";
import type { SourceFile } from "./source-file.ts";

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

/** Compiles a file without asking a server. */
export function compile({ text }: SourceFile, format: string | undefined): WorkflowReading {
  const known = workflowFormats.find((one): one is WorkflowFormat => one === format);
  return readWorkflow({ text, ...(known && { format: known }) });
}

/** The steps of a saved workflow. Its source tells more than the server does, where we can read it. */
export function stepsOfWorkflow(workflow: Workflow): GraphStep[] {
  const reading = compile({ name: workflow.name, text: workflow.source }, workflow.format);
  return "faults" in reading ? stepsOfMessage(workflow) : stepsOfGraph(reading.definition);
}
