import type { Exit, Step } from "@drover/domain/workflow/definition";
import type { Draft } from "../check/draft.ts";
import type { Placed } from "@drover/document/shape/shape";
import { quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";
import type { RawEdge } from "./document.ts";

/** A way from one node to another, `exit` being the place among the exits of the first. */
export interface Way {
  from: string;
  to: string;
  at: Value;
  exit?: number;
}

interface EdgeFacts {
  /** Ids of all nodes, the broken ones included. */
  nodes: ReadonlySet<string>;
  /** Types of the state fields by name. */
  fields: ReadonlyMap<string, { type: string }>;
  report: Report;
}

/** What an edge says about the node from which it leads: exits and loops are the node's own. */
interface Source {
  exits: Exit[];
  repeat?: Step["repeat"];
  uses: Draft["uses"];
}

/** Reads the edges into ways, and into exits and loops of the nodes (START among them) from which they lead. */
export function readEdges(
  edges: readonly Placed<RawEdge>[],
  facts: EdgeFacts,
): { ways: Way[]; sources: Map<string, Source> } {
  const ways: Way[] = [];
  const sources = new Map<string, Source>();
  for (const { value: edge, at } of edges) {
    const kinds = (["to", "routes", "loop"] as const).filter((kind) => edge[kind] !== undefined);
    if (kinds.length !== 1) {
      if (["to", "routes", "loop"].filter((kind) => at.fields?.has(kind)).length !== 1)
        facts.report.add(
          edge.from.at,
          `Expected an edge with one of to, routes or loop, got ${kinds.join(" and ") || "none"}.`,
        );
      continue;
    }
    checkNode(edge.from, ["START"], facts);
    const source = sources.get(edge.from.value) ?? { exits: [], uses: [] };
    sources.set(edge.from.value, source);
    if (edge.condition !== undefined && edge.to === undefined)
      facts.report.add(edge.condition.at, 'Expected a condition only on an edge with "to", got it with another kind.');
    ways.push(...readTo(edge, source, facts), ...readRoutes(edge, source, facts), ...readLoop(edge, source, facts));
  }
  return { ways, sources };
}

function readTo({ from, to, condition }: RawEdge, source: Source, facts: EdgeFacts): Way[] {
  if (to === undefined) return [];
  const isList = to.at.items !== undefined;
  const names = new Set(to.value.map(({ value }) => value));
  if (isList && (to.value.length < 2 || names.size < to.value.length))
    facts.report.add(to.at, "Expected a list of at least two different nodes for a fork, got another one.");
  const exit = condition && addExit(source, { when: condition.value.value, group: nextGroup(source) }, condition.value);
  for (const target of to.value) checkNode(target, ["END"], facts);
  return to.value.map((target) => ({
    from: from.value,
    to: target.value,
    at: target.at,
    ...(exit === undefined ? {} : { exit }),
  }));
}

function readRoutes({ from, routes }: RawEdge, source: Source, facts: EdgeFacts): Way[] {
  if (routes === undefined) return [];
  const group = nextGroup(source);
  const defaults = routes.value.filter(({ value }) => value.condition.value === "default");
  if (defaults.length !== 1) {
    const got = defaults.length === 0 ? "none" : String(defaults.length);
    facts.report.add(routes.at, `Expected one default route, got ${got}.`, {
      hint: "Add a route with condition: {logic: default}.",
    });
  }
  return routes.value.map(({ value: { condition, to } }) => {
    const isDefault = condition.value === "default";
    const exit = addExit(
      source,
      isDefault ? { group } : { when: condition.value, group },
      isDefault ? undefined : condition,
    );
    checkNode(to, ["END"], facts);
    return { from: from.value, to: to.value, at: to.at, exit };
  });
}

function readLoop({ from, loop }: RawEdge, source: Source, facts: EdgeFacts): Way[] {
  if (loop === undefined) return [];
  const { condition_field: field, max_iterations = 10, exit_to } = loop.value;
  if (from.value === "START") facts.report.add(from.at, "Expected a loop of a node, got one of START.");
  if (source.repeat !== undefined)
    facts.report.add(loop.at, `Expected one loop of ${quote(from.value)}, got a second one.`);
  const type = facts.fields.get(field.value)?.type;
  if (type === undefined)
    facts.report.add(
      field.at,
      `Expected a state field, got ${quote(field.value)}.`,
      suggest(field.value, [...facts.fields.keys()]),
    );
  else if (type.trim() !== "bool")
    facts.report.add(field.at, `Expected a state field of type bool, got ${quote(field.value)} of type ${type}.`);
  source.repeat = { until: `state.${field.value}`, maxIterations: max_iterations, atBound: "complete" };
  if (exit_to !== undefined) checkNode(exit_to, ["END"], facts);
  return [{ from: from.value, to: exit_to?.value ?? "END", at: exit_to?.at ?? loop.at }];
}

function checkNode({ value, at }: Placed<string>, others: readonly string[], { nodes, report }: EdgeFacts): void {
  if (nodes.has(value) || others.includes(value)) return;
  const words = value === "START" ? "no edge leads to START" : value === "END" ? "no edge leads from END" : undefined;
  report.add(
    at,
    words ? `Expected a node, got ${value}: ${words}.` : `Expected the id of a node, got ${quote(value)}.`,
    suggest(value, [...others, ...nodes]),
  );
}

function addExit(source: Source, exit: Exit, condition: Placed<string> | undefined): number {
  if (condition !== undefined)
    source.uses.push({ at: condition.at, expression: condition.value, isVerbatim: true, isAfter: true });
  return source.exits.push(exit) - 1;
}

function nextGroup({ exits }: Source): number {
  return (exits.at(-1)?.group ?? -1) + 1;
}
