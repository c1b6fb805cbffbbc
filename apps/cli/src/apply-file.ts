import { Code, ConnectError } from "@connectrpc/connect";
import type { Fault } from "@drover/document/source/fault";
import type { Context } from "./command.ts";
import { notAnswered } from "./fault.ts";
import type { SourceFile } from "./source-file.ts";
import { compile } from "./workflow-source.ts";

/** Hands a workflow's file to the server, which saves it. */
export async function applyFile({ client, signal }: Context, file: SourceFile, format: string | undefined) {
  const request = { source: file.text, format: format ?? "" };
  const { workflow, created } = await client.workflows.applyWorkflow(request, { signal });
  if (workflow === undefined) throw notAnswered("a workflow");
  return { workflow, created };
}

/** The faults that we find ourselves, with their places, where the server has refused a file. */
export function faultsOf(error: unknown, file: SourceFile, format: string | undefined): readonly Fault[] | undefined {
  if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument) return undefined;
  const reading = compile(file, format);
  return "faults" in reading ? reading.faults : undefined;
}
