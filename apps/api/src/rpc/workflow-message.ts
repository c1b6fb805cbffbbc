import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { WorkflowRow } from "@drover/db/query/workflow";
import type { Definition, Edge, Step } from "@drover/domain/workflow/definition";
import { type Workflow, WorkflowSchema } from "@drover/proto/drover/workflow";

/** A saved version; lists leave out the source. */
export function workflowMessage(row: WorkflowRow, { withSource = true } = {}): Workflow {
  return create(WorkflowSchema, {
    ...definitionInit(row.definition),
    name: row.name,
    version: row.number,
    format: row.format,
    source: withSource ? row.source : "",
    createdAt: timestampFromDate(row.created_at),
    actor: row.actor,
  });
}

/** A definition that was not saved. */
export function draftMessage(definition: Definition, format: string): Workflow {
  return create(WorkflowSchema, { ...definitionInit(definition), name: definition.name, format });
}

function definitionInit(definition: Definition) {
  const byId = new Map(definition.steps.map((step) => [step.id, step]));
  return {
    description: definition.description ?? "",
    tags: definition.tags ?? [],
    steps: definition.steps.map((step) => ({
      id: step.id,
      name: step.name ?? "",
      kind: step.work.kind,
      needs: (step.needs ?? []).map((edge) => ({ from: edge.from, condition: conditionOf(edge, byId.get(edge.from)) })),
      isMapped: step.each !== undefined,
      isRepeated: step.repeat !== undefined,
    })),
    ...(definition.input !== undefined && { inputSchema: definition.input }),
  };
}

function conditionOf(edge: Edge, source: Step | undefined): string {
  if (edge.exit === undefined) return "";
  return source?.exits?.[edge.exit]?.when ?? "default";
}
