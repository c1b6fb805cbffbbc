import type { Edge, JsonSchema, Step } from "@drover/domain/workflow/definition";
import { quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Draft, Names, Need, Use } from "./draft.ts";
import { createUpstream, sortGraph, type Upstream } from "./graph.ts";
import { checkReferences, referencesOf } from "./reference.ts";

export interface FinishOptions {
  names: Names;
  report: Report;
  /** Ids of steps that were too broken to become drafts: they are not told to be missing as well. */
  brokenIds?: readonly string[];
  /** Whether a reference to another step's output makes that step a need. */
  infersNeeds?: boolean;
}

/** Makes steps of drafts: edges lead somewhere, there is no circle, and what is read has been written before. */
export function finishSteps(drafts: readonly Draft[], options: FinishOptions): Step[] {
  const { report, names, brokenIds = [] } = options;
  const numbers = numberSteps(drafts, report);
  const known = new Map([...brokenIds.map((id): [string, number] => [id, -1]), ...numbers]);
  const needs = drafts.map((draft) => knownNeeds(draft, known, report));
  const inferred = drafts.map((draft) => (options.infersNeeds === true ? inferNeeds(draft, numbers) : []));
  const indexes = (list: readonly Need[]) => list.map(({ from }) => numbers.get(from) ?? -1).filter((at) => at >= 0);
  const sorted = sortGraph(
    needs.map((own, number) => [...indexes(own), ...(inferred[number] ?? []).map(({ from }) => from)]),
  );
  if ("circle" in sorted) {
    reportCircle(sorted.circle, drafts, report);
    return drafts.map(({ step }) => step);
  }
  const upstream = createUpstream(drafts.length);
  const place = new Map(sorted.order.map((number, index) => [number, index]));
  for (const number of sorted.order) {
    for (const from of indexes(needs[number] ?? [])) upstream.add(number, from);
    // The last ones first: what they need is upstream then, and is no need of its own.
    const wanted = (inferred[number] ?? []).toSorted((a, b) => (place.get(b.from) ?? 0) - (place.get(a.from) ?? 0));
    for (const { from, at } of wanted) {
      if (upstream.has(number, from)) continue;
      needs[number]?.push({ from: drafts[from]?.step.id ?? "", at });
      upstream.add(number, from);
    }
  }
  for (const draft of drafts)
    checkReferences(draft, reachOf(draft, { known, names, upstream, drafts, numbers }), report);
  return drafts.map(({ step }, number) => withNeeds(step, needs[number] ?? []));
}

/** Checks what is read at the end of a graph, when all steps have ended. */
export function checkOutput(
  uses: readonly Use[],
  { steps, names, report, brokenIds = [] }: FinishOptions & { steps: readonly Step[] },
): void {
  const byId = new Map(steps.map((step): [string, Step] => [step.id, step]));
  const ids = new Map([...brokenIds, ...byId.keys()].map((id, number): [string, number] => [id, number]));
  const end = {
    step: { id: "", work: { kind: "value" } } satisfies Step,
    at: { path: [] },
    needs: [],
    uses: [...uses],
  };
  const outputOf = (id: string) => {
    const step = byId.get(id);
    return step && outputSchema(step);
  };
  checkReferences(end, { ids, names, isUpstream: () => true, outputOf }, report);
}

/** What a step's output looks like, where that is known. */
export function outputSchema({ work, each }: Step): JsonSchema | undefined {
  if (work.kind !== "llm") return undefined;
  const one = work.output ?? { type: "string" };
  return each === undefined ? one : { type: "array", items: one };
}

function numberSteps(drafts: readonly Draft[], report: Report): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const [number, { step, at }] of drafts.entries()) {
    if (numbers.has(step.id)) report.add(at, `Expected each id once, got ${quote(step.id)} again.`);
    else numbers.set(step.id, number);
  }
  return numbers;
}

function knownNeeds({ step, needs }: Draft, known: ReadonlyMap<string, number>, report: Report): Need[] {
  const seen = new Set<string>();
  return needs.filter(({ from, exit, at }) => {
    const key = JSON.stringify([from, exit]);
    if (seen.has(key)) return false;
    seen.add(key);
    if (from === step.id) report.add(at, `Expected another step, got ${quote(from)} itself.`);
    else if (!known.has(from))
      report.add(at, `Expected the id of a step, got ${quote(from)}.`, () => suggest(from, [...known.keys()]));
    else return known.get(from) !== -1;
    return false;
  });
}

function inferNeeds(draft: Draft, numbers: ReadonlyMap<string, number>): { from: number; at: Draft["at"] }[] {
  const found = new Map<number, Draft["at"]>();
  for (const use of draft.uses) {
    for (const { root, path } of referencesOf(use)) {
      const from = root === "steps" && path[0] !== draft.step.id ? numbers.get(String(path[0])) : undefined;
      if (from !== undefined && !found.has(from)) found.set(from, use.at);
    }
  }
  return [...found].map(([from, at]) => ({ from, at }));
}

function reportCircle(circle: readonly number[], drafts: readonly Draft[], report: Report): void {
  const ids = circle.map((number) => drafts[number]?.step.id ?? "").toReversed();
  const first = drafts[circle[0] ?? 0];
  const way = [...ids, ids[0] ?? ""].slice(0, 21).join(" -> ");
  const words = `Expected steps without a circle, got ${way}${ids.length > 20 ? " -> …" : ""}.`;
  report.add(first?.at ?? { path: [] }, words, { hint: "Take one of these needs out, or use repeat for a loop." });
}

interface Graph {
  known: ReadonlyMap<string, number>;
  numbers: ReadonlyMap<string, number>;
  names: Names;
  upstream: Upstream;
  drafts: readonly Draft[];
}

function reachOf(
  { step }: Draft,
  { known, names, upstream, drafts, numbers }: Graph,
): Parameters<typeof checkReferences>[1] {
  const own = numbers.get(step.id) ?? -1;
  // A loop asks about one round, and a map has no rounds.
  const ownOutput = outputSchema(step);
  return {
    ...(ownOutput && { ownOutput }),
    ids: known,
    names,
    isUpstream: (id) => known.get(id) === -1 || upstream.has(own, numbers.get(id) ?? -1),
    outputOf(id) {
      const other = drafts[numbers.get(id) ?? -1]?.step;
      return other && outputSchema(other);
    },
  };
}

function withNeeds(step: Step, needs: readonly Need[]): Step {
  if (needs.length === 0) return step;
  const edges = needs.map(({ from, exit }): Edge => (exit === undefined ? { from } : { from, exit }));
  return { ...step, needs: edges };
}
