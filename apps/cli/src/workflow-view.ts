import { toJson } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Workflow, WorkflowSchema } from "@drover/proto/drover/workflow";
import { formatDuration } from "./duration.ts";
import { moment } from "./fact.ts";
import { graphColumns, graphRows } from "./graph-tree.ts";
import type { Output } from "./output.ts";
import type { Column } from "./table.ts";
import { stepsOfWorkflow } from "./workflow-source.ts";

/** A workflow for programs: the JSON of the contract. */
export function workflowJson(workflow: Workflow): Record<string, unknown> {
  return toJson(WorkflowSchema, workflow, { alwaysEmitImplicit: true }) as Record<string, unknown>;
}

export const workflowColumns: Column[] = [
  { heading: "WORKFLOW" },
  { heading: "VERSION", align: "right" },
  { heading: "STEPS", align: "right" },
  { heading: "FORMAT" },
  { heading: "APPLIED", align: "right" },
  { heading: "BY" },
  { heading: "DESCRIPTION", isFlexible: true },
];

/** A workflow as a row. */
export function workflowRow(workflow: Workflow, nowMs: number): string[] {
  const { name, version, steps, format, createdAt, actor, description } = workflow;
  const ago = createdAt === undefined ? "" : `${formatDuration(nowMs - timestampMs(createdAt))} ago`;
  return [name, String(version), String(steps.length), format, ago, actor, description];
}

/** Everything about one version, for people. */
export function showWorkflow(workflow: Workflow, output: Output, nowMs: number): void {
  const { name, version, format, description, tags, createdAt, actor, inputSchema } = workflow;
  const facts: [string, string | undefined][] = [
    ["Workflow", name],
    ["Version", String(version)],
    ["About", description || undefined],
    ["Format", format],
    ["Tags", tags.join(", ") || undefined],
    ["Applied", [moment(createdAt, nowMs), actor && `by ${actor}`].filter(Boolean).join(" ") || undefined],
    ...inputFacts(inputSchema),
  ];
  output.facts(facts.filter((fact): fact is [string, string] => fact[1] !== undefined));
  output.line("");
  output.table(graphColumns, graphRows(stepsOfWorkflow(workflow)));
}

/** What a run may be given, a line for each field. */
function inputFacts(schema: Workflow["inputSchema"]): [string, string][] {
  const properties = schema?.["properties"];
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) return [];
  const needed = Array.isArray(schema?.["required"]) ? schema["required"] : [];
  return Object.entries(properties).map(([name, property], index) => {
    const field = typeof property === "object" && property !== null && !Array.isArray(property) ? property : {};
    const { type, default: value, description } = field;
    const kind = typeof type === "string" ? type : Array.isArray(type) ? type.map(String).join(" or ") : "any value";
    const must = needed.includes(name) ? "" : value === undefined ? ", may be left out" : ` = ${JSON.stringify(value)}`;
    return [
      index === 0 ? "Input" : "",
      `${name}: ${kind}${must}${typeof description === "string" ? `  ${description}` : ""}`,
    ];
  });
}
