import { Code, ConnectError } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import type { Fault } from "@drover/workflow/read-workflow";
import type { Context } from "./command.ts";
import { notAnswered } from "./fault.ts";
import { countFaults, renderFaults } from "./workflow-fault.ts";
import { compile, type WorkflowFile } from "./workflow-source.ts";

/** Hands a workflow's file to the server, which saves it. */
export async function applyFile({ client, signal }: Context, file: WorkflowFile, format: string | undefined) {
  const request = { source: file.text, format: format ?? "" };
  const { workflow, created } = await client.workflows.applyWorkflow(request, { signal });
  if (workflow === undefined) throw notAnswered("a workflow");
  return { workflow, created };
}

/** The faults that we find ourselves, with their places, where the server has refused a file. */
export function faultsOf(error: unknown, file: WorkflowFile, format: string | undefined): readonly Fault[] | undefined {
  if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument) return undefined;
  const reading = compile(file, format);
  return "faults" in reading ? reading.faults : undefined;
}

/** Says on stderr what is wrong with a file, and why nothing was done with it. */
export function refuseFile({ output, world }: Context, file: WorkflowFile, faults: readonly Fault[]): void {
  const message = `${file.name} has ${countFaults(faults.length)}.`;
  if (output.isJson) {
    const fields = faults.map(({ line, column, message: fault, hint }) => ({
      field: `${line}:${column}`,
      message: [fault, hint].filter(Boolean).join(" "),
    }));
    throw new DroverError("invalid", message, { fields, hint: `drover workflow validate ${file.name}` });
  }
  const width = world.stderr.columns || 120;
  const options = { file, width, color: "red", paint: output.paintError } as const;
  for (const line of renderFaults(faults, options)) output.complain(line);
  output.complain(`${output.paintError("Error:", "red")} ${message}`);
}
