import type { Json } from "@drover/domain/json";
import type { Definition, JsonSchema, StateField, Step } from "@drover/domain/workflow/definition";
import type { Draft } from "../check/draft.ts";
import { finishSteps } from "../check/finish.ts";
import { bare } from "../shape/template.ts";
import type { Placed, Read } from "@drover/document/shape/shape";
import { describe, fieldOf, namesOf, type Value } from "@drover/document/source/value";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { validateJson } from "../validate.ts";
import { document as shape, type RawField } from "./document.ts";
import { readEdges, type Way } from "./edge.ts";
import { compileNode } from "./node.ts";
import { knownTypes, typeSchema } from "./state-type.ts";

const defaultTimeoutSeconds = 120;
const defaultRetries = 3;

/** Compiles the YAML of state, nodes and edges. */
export function compileConfigurable(document: Value, report: Report): Definition | undefined {
  const raw = shape.read(document, report);
  if (raw === undefined) return undefined;
  const { value: version, at } = raw.schema_version;
  if (version !== "1.0")
    report.add(at, `Expected schema_version "1.0", got ${describe(version)}.`, {
      hint: 'Write schema_version: "1.0".',
    });
  const state = readState(raw.state.fields, report);
  const nodes = readNodes(raw, report);
  const ids = namesOf(fieldOf(document, "nodes"), "id");
  const { ways, sources } = readEdges(raw.edges, { nodes: ids, fields: typesOf(raw), report });
  checkReach(nodes, ways, raw, report);
  const names = { input: state.input, state: [...raw.state.fields.keys()] };
  const brokenIds = [...ids].filter((id) => !nodes.has(id));
  const steps = finishSteps(connect(nodes, ways, sources), { names, report, brokenIds });
  const { timeout } = raw.config?.execution ?? {};
  if (timeout === undefined) {
    report.warn(
      at,
      `No config.execution.timeout: a run ends after ${defaultTimeoutSeconds} s, the default of this format.`,
    );
  }
  const { name, description } = raw.flow;
  return {
    name: name.trim(),
    ...(description ? { description } : {}),
    input: state.input,
    state: state.fields,
    failure: { onFailure: "stop" },
    timeoutSeconds: timeout ?? defaultTimeoutSeconds,
    steps,
    output: "${state}",
  };
}

type Raw = Read<typeof shape>;

function typesOf(raw: Raw): Map<string, { type: string; schema?: Json }> {
  return new Map(
    [...raw.state.fields].map(([name, { value }]) => [
      name,
      { type: value.type.value, ...(value.schema && { schema: value.schema.value }) },
    ]),
  );
}

function readState(
  fields: ReadonlyMap<string, Placed<RawField>>,
  report: Report,
): { input: JsonSchema; fields: Record<string, StateField> } {
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  const state: Record<string, StateField> = {};
  for (const [name, { value: field }] of fields) {
    const { type, description } = field;
    const schema = typeSchema(type.value, field.schema?.value);
    const given = field.default;
    if (schema === undefined) report.add(type.at, `Expected ${knownTypes}, got ${quote(type.value)}.`);
    if (field.required === true && given !== undefined)
      report.add(given.at, `Expected no default for ${quote(name)}, which is required, got ${describe(given.value)}.`);
    const [wrong] = schema && given ? validateJson(schema, given.value) : [];
    if (given && wrong !== undefined)
      report.add(given.at, `Expected a default of type ${type.value}, got ${describe(given.value)}.`);
    if (schema === undefined) continue;
    properties[name] = {
      ...schema,
      ...(description ? { description } : {}),
      ...(given ? { default: given.value } : {}),
    };
    if (field.required === true) required.push(name);
    const isList = /^list\b/.test(type.value.trim());
    state[name] = {
      merge: isList ? "append" : "replace",
      ...(field.required === true ? {} : { default: given?.value ?? null }),
    };
  }
  if (fields.size === 0) report.add({ path: ["state", "fields"] }, "Expected at least one state field, got none.");
  const input = { type: "object", properties, ...(required.length > 0 && { required }), additionalProperties: false };
  return { input, fields: state };
}

function readNodes(raw: Raw, report: Report): Map<string, Draft> {
  const nodes = new Map<string, Draft>();
  const { llm = {}, execution, memory } = raw.config ?? {};
  const facts = {
    workflow: raw.flow.name.trim(),
    report,
    fields: typesOf(raw),
    llm,
    memory: memory ?? raw.memory,
    maxRetries: execution?.max_retries ?? defaultRetries,
  };
  for (const node of raw.nodes) {
    const { value: id, at } = node.value.id;
    if (id === "START" || id === "END") report.add(at, `Expected an id other than START and END, got ${id}.`);
    else if (nodes.has(id)) report.add(at, `Expected each id once, got ${quote(id)} again.`);
    else nodes.set(id, compileNode(node, facts));
  }
  return nodes;
}

/** Every node lies on a way from START to END, and one edge leaves START. */
function checkReach(nodes: ReadonlyMap<string, Draft>, ways: readonly Way[], raw: Raw, report: Report): void {
  const starts = raw.edges.filter(({ value }) => value.from.value === "START");
  const [first, second] = starts;
  if (first === undefined)
    report.add(raw.edges[0]?.at ?? { path: ["edges"] }, "Expected an edge from START, got none.");
  if (second !== undefined)
    report.add(second.value.from.at, "Expected one edge from START, got a second one.", {
      hint: "Write a list after to: for a fork.",
    });
  // A way that leads nowhere is told already; what it cuts off follows from that.
  const isWhole = ways.every(({ to, from }) =>
    [to, from].every((id) => nodes.has(id) || id === "START" || id === "END"),
  );
  if (!isWhole) return;
  const fromStart = reach("START", ways, (way) => [way.from, way.to]);
  const toEnd = reach("END", ways, (way) => [way.to, way.from]);
  for (const [id, { at }] of nodes) {
    if (first !== undefined && !fromStart.has(id))
      report.add(at, `Expected a way from START to ${quote(id)}, got none.`);
    if (!toEnd.has(id)) report.add(at, `Expected a way from ${quote(id)} to END, got none.`);
  }
}

function reach(root: string, ways: readonly Way[], direction: (way: Way) => [string, string]): Set<string> {
  const next = Map.groupBy(ways.map(direction), ([from]) => from);
  const found = new Set([root]);
  for (const id of found) for (const [, to] of next.get(id) ?? []) found.add(to);
  return found;
}

/** Gives nodes their needs, exits and loops. START is a step of its own only where something hangs on which way it goes. */
function connect(
  nodes: ReadonlyMap<string, Draft>,
  ways: readonly Way[],
  sources: ReturnType<typeof readEdges>["sources"],
): Draft[] {
  const fromStart = ways.filter(({ from }) => from === "START");
  const isStep = fromStart.some(
    ({ exit, to }) => exit !== undefined || ways.some((way) => way.to === to && way.from !== "START"),
  );
  const start = sources.get("START");
  const drafts: Draft[] = [...nodes].map(([id, draft]) => {
    const own = sources.get(id);
    const needs = ways
      .filter(({ to, from }) => to === id && (isStep || from !== "START"))
      .map(({ from, exit, at }) => ({ from, at, ...(exit === undefined ? {} : { exit }) }));
    const exits = own !== undefined && own.exits.length > 0 ? { exits: own.exits } : {};
    const repeat = own?.repeat === undefined ? {} : { repeat: loopOf(own.repeat, draft.step) };
    return {
      ...draft,
      step: { ...draft.step, ...exits, ...repeat },
      needs,
      uses: [...draft.uses, ...(own?.uses ?? [])],
    };
  });
  if (!isStep || start === undefined) return drafts;
  const step = { id: "START", work: { kind: "value" as const }, ...(start.exits.length > 0 && { exits: start.exits }) };
  return [{ step, at: fromStart[0]?.at ?? { path: ["edges"] }, needs: [], uses: start.uses }, ...drafts];
}

/** A node that writes its own condition is asked itself: what it said is what the state will be. */
function loopOf(repeat: NonNullable<Step["repeat"]>, { writes = {} }: Step): NonNullable<Step["repeat"]> {
  const written = writes[repeat.until.replace("state.", "")];
  return typeof written === "string" ? { ...repeat, until: bare(written) } : repeat;
}
