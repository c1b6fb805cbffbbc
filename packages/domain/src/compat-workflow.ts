import type { Json } from "./json.ts";
import type { Definition, Step } from "./workflow/definition.ts";

type JsonObject = { [key: string]: Json };

/** A saved version, as far as the workflow JSON of nodes and edges shows it. */
export interface CompatVersion {
  id: string;
  number: number;
  format: string;
  definition: Definition;
  createdAt: Date;
  updatedAt: Date;
}

export interface CompatNode extends JsonObject {
  id: string;
  name: string;
  type: string;
}

export interface CompatFacts {
  name: string;
  description?: string;
  tags?: string[];
  tenant?: string;
  version?: string;
}

/** A workflow as JSON of nodes and edges. What came in another format is told as nodes of type custom. */
export function compatWorkflow(version: CompatVersion): JsonObject {
  const { id, definition, format } = version;
  return {
    id,
    ...compatFacts(version),
    created_at: version.createdAt.toISOString(),
    updated_at: version.updatedAt.toISOString(),
    nodes: compatNodes(definition),
    edges: compatEdges(definition),
    ...(format !== "dspy" && { format }),
  };
}

/** What lists say of a workflow. */
export function compatSummary(version: CompatVersion): JsonObject {
  return {
    id: version.id,
    ...compatFacts(version),
    updated_at: version.updatedAt.toISOString(),
    node_count: compatNodes(version.definition).length,
    edge_count: compatEdges(version.definition).length,
  };
}

/** Name and labels; the format's own version is a text of the author's choice. */
export function compatFacts({
  id,
  number,
  definition,
}: Pick<CompatVersion, "id" | "number" | "definition">): CompatFacts & JsonObject {
  const context = originOf(definition);
  const { description, tags = [] } = definition;
  const tenant = textOf(context?.["tenant"]);
  const version = context === undefined ? String(number) : textOf(context["version"]);
  return {
    name: context === undefined ? id : textOf(context["name"]),
    ...(description !== undefined && { description }),
    ...(tags.length > 0 && { tags }),
    ...(tenant !== "" && { tenant }),
    ...(version !== "" && { version }),
  };
}

/** The nodes as they were handed in, else one for each step. */
export function compatNodes(definition: Definition): CompatNode[] {
  const nodes = originOf(definition)?.["nodes"];
  if (Array.isArray(nodes)) return nodes as CompatNode[];
  return definition.steps.map(customNode);
}

/** What a task of the workflow is told of it, where its format promises that; nothing for others. */
export function taskContext({ context }: Pick<Definition, "context">): Record<string, Json> {
  if (context === undefined) return {};
  const tenant = isObject(context) ? textOf(context["tenant"]) : "";
  return { workflow_context: context, ...(tenant !== "" && { tenant }) };
}

function compatEdges(definition: Definition): Json[] {
  const edges = originOf(definition)?.["edges"];
  if (Array.isArray(edges)) return edges;
  return definition.steps.flatMap((step) =>
    (step.needs ?? []).map(({ from }, place) => ({
      id: `${from}-${step.id}${place === 0 ? "" : `-${place}`}`,
      source: from,
      target: step.id,
      kind: "control",
    })),
  );
}

function customNode({ id, name, work }: Step): CompatNode {
  return { id, name: name ?? id, type: "custom", custom: { kind: work.kind } };
}

/** Nodes and edges as they were handed in, of definitions that were compiled from such. */
function originOf({ context }: Definition): JsonObject | undefined {
  return context !== undefined && isObject(context) && Array.isArray(context["nodes"]) ? context : undefined;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
