import type { Json } from "@drover/domain/json";
import type { Definition } from "@drover/domain/workflow/definition";
import type { Draft, Need } from "../check/draft.ts";
import { finishSteps } from "../check/finish.ts";
import type { Placed, Read } from "@drover/document/shape/shape";
import type { Report } from "@drover/document/source/report";
import { fieldOf, isObject, type Value } from "@drover/document/source/value";
import { document as shape, type RawEdge, type RawNode } from "./document.ts";
import { compileNode, nodeFault } from "./node.ts";

type Raw = Read<typeof shape>;

/** Compiles the JSON of nodes and edges. Faults that the format's own validator knows are told in its words. */
export function compileDspy(document: Value, report: Report): Definition | undefined {
  const raw = shape.read(document, report);
  if (raw === undefined) return undefined;
  if (isBlank(raw.name)) report.add(fieldOf(document, "name") ?? document, "workflow name is required");
  const nodes = checkNodes(document, raw, report);
  const needs = checkEdges(document, raw, nodes, report);
  if (report.faults.length > 0) return undefined;
  const drafts = [...nodes.values()].map(({ value, at }): Draft => ({
    step: compileNode(value, raw.id ?? ""),
    at,
    needs: needs.get(value.id ?? "") ?? [],
    uses: [],
  }));
  const steps = finishSteps(drafts, { names: {}, report });
  return {
    // The interfaces of that system know a workflow by its id.
    name: raw.id || (raw.name ?? ""),
    ...(isBlank(raw.description) ? {} : { description: raw.description ?? "" }),
    ...(raw.tags === undefined ? {} : { tags: raw.tags.toSorted() }),
    failure: { onFailure: "stop" },
    context: contextOf(document, raw),
    steps,
  };
}

function checkNodes(document: Value, { nodes = [] }: Raw, report: Report): Map<string, Placed<RawNode>> {
  const found = new Map<string, Placed<RawNode>>();
  for (const { value, at } of nodes) {
    const index = Number(at.path.at(-1));
    const { id = "", name } = value;
    if (isBlank(id)) report.add(at, `node[${index}] missing id`);
    else if (found.has(id)) report.add(fieldOf(at, "id") ?? at, `duplicate node id ${JSON.stringify(id)}`);
    else found.set(id, { value, at: fieldOf(at, "id") ?? at });
    if (isBlank(name)) report.add(at, `node ${JSON.stringify(id)} missing name`);
    const fault = nodeFault(value);
    if (fault !== undefined) report.add(fieldOf(at, "type") ?? at, `node ${JSON.stringify(id)} invalid: ${fault}`);
  }
  const { items } = fieldOf(document, "nodes") ?? {};
  if (items === undefined || items.length === 0)
    report.add(fieldOf(document, "nodes") ?? document, "workflow requires at least one node");
  return found;
}

/** What each node needs, by its id. */
function checkEdges(
  document: Value,
  { edges = [] }: Raw,
  nodes: ReadonlyMap<string, unknown>,
  report: Report,
): Map<string, Need[]> {
  const needs = new Map<string, Need[]>();
  const seen = new Set<string>();
  for (const { value, at } of edges) {
    const index = Number(at.path.at(-1));
    const { id = "", source = "", target = "" } = value;
    const faults = edgeFaults(value, index, seen, nodes);
    seen.add(id);
    for (const [key, message] of faults) report.add(fieldOf(at, key) ?? at, message);
    if (faults.length > 0) continue;
    // The format wants an edge even for a single node, so an edge to itself is the only way to save one.
    if (source === target) {
      report.warn(at, `edge ${JSON.stringify(id)} leads from ${JSON.stringify(source)} to itself and is left out`);
    } else needs.set(target, [...(needs.get(target) ?? []), { from: source, at }]);
  }
  const { items } = fieldOf(document, "edges") ?? {};
  if (items === undefined || items.length === 0)
    report.add(fieldOf(document, "edges") ?? document, "workflow requires at least one edge to express flow");
  return needs;
}

function edgeFaults(
  { id = "", source = "", target = "", kind = "" }: RawEdge,
  index: number,
  seen: ReadonlySet<string>,
  nodes: ReadonlyMap<string, unknown>,
): [string, string][] {
  const name = JSON.stringify(id);
  if (isBlank(id)) return [["id", `edge[${index}] missing id`]];
  if (seen.has(id)) return [["id", `duplicate edge id ${name}`]];
  if (isBlank(source) || isBlank(target)) return [["source", `edge ${name} requires both source and target`]];
  const faults: [string, string][] = [];
  if (!nodes.has(source)) faults.push(["source", `edge ${name} references unknown source ${JSON.stringify(source)}`]);
  if (!nodes.has(target)) faults.push(["target", `edge ${name} references unknown target ${JSON.stringify(target)}`]);
  if (kind === "") faults.push(["kind", `edge ${name} missing kind`]);
  return faults;
}

/** What runners are told of the whole workflow, with nodes and edges as they were handed in. */
function contextOf(
  document: Value,
  { id = "", name = "", version = "", tenant = "", tags = [], nodes = [] }: Raw,
): Json {
  const { json } = document;
  const index: Record<string, string[]> = {};
  for (const { value } of nodes) (index[value.type ?? ""] ??= []).push(value.id ?? "");
  return {
    id,
    name,
    version,
    tenant,
    tags: tags.toSorted(),
    nodes: (isObject(json) ? json["nodes"] : undefined) ?? [],
    edges: (isObject(json) ? json["edges"] : undefined) ?? [],
    node_index: index,
  };
}

function isBlank(text: string | undefined): boolean {
  return (text ?? "").trim() === "";
}
