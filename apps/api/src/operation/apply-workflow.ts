import { saveVersion } from "@drover/db/query/workflow";
import { DroverError } from "@drover/domain/error";
import type { WorkflowFormat } from "@drover/domain/workflow/definition";
import { type Fault, readWorkflow } from "@drover/workflow/read-workflow";
import type { Caller, Deps } from "./context.ts";

/** A text in one of the formats of workflows; recognised where the format is not named. */
export interface WorkflowSource {
  source: string;
  format?: WorkflowFormat | undefined;
}

/** Saves a workflow as a new version, unless its newest one is equal. */
export async function applyWorkflow(
  deps: Deps,
  caller: Caller,
  { source, format }: WorkflowSource,
): Promise<{ name: string; version: number; created: boolean }> {
  const read = readWorkflow({ text: source, ...(format && { format }) });
  if ("faults" in read) throw workflowFault(read.faults);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const { name } = read.definition;
  const saved = await deps.db.transaction((tx) =>
    saveVersion(tx, {
      namespaceId,
      name,
      format: read.format,
      source,
      definition: read.definition,
      actor: caller.actor,
    }),
  );
  return { name, version: saved.number, created: saved.created };
}

/** The error for a source with faults: every one of them, with its place. */
export function workflowFault(faults: readonly Fault[]): DroverError {
  const lines = faults.map((fault) => `${fault.line}:${fault.column} ${fault.message}`);
  return new DroverError(
    "invalid",
    `The workflow has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}: ${lines.join(" ")}`,
    {
      fields: faults.map((fault) => ({
        field: fault.path === "" ? "source" : `source.${fault.path}`,
        message: `line ${fault.line}, column ${fault.column}: ${fault.message}${fault.hint === undefined ? "" : ` ${fault.hint}`}`,
      })),
      hint: 'Check it with "drover workflow validate FILE".',
    },
  );
}
