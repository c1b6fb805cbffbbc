import type { Graph } from "@drover/domain/workflow/definition";
import type { Names, Need, Use } from "../check/draft.ts";
import { checkOutput, finishSteps } from "../check/finish.ts";
import { quote, suggest } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import type { Place, Value } from "@drover/document/source/value";
import type { GraphFacts, RawGraph } from "./facts.ts";
import { compileStep, type StepDraft } from "./step.ts";
import { idPattern } from "./step-shape.ts";

/** How many steps a workflow may have, those of its bodies included. */
export const maxSteps = 10_000;

/** Compiles steps that need each other: a workflow, or the body of a step. */
export function compileGraph({ steps, output, maxParallel }: RawGraph, facts: GraphFacts): Graph {
  const { report, names, total } = facts;
  const named = namedSteps(steps, report);
  total.steps += named.length;
  if (total.steps > maxSteps) {
    if (total.steps - named.length <= maxSteps)
      report.add(steps, `Expected at most ${maxSteps} steps, got ${total.steps}.`);
    return { steps: [] };
  }
  const compileBody = (body: RawGraph, own: Names) => compileGraph(body, { ...facts, names: own });
  const found = named.map(({ id, at }) => ({ id, draft: compileStep(id, at, { ...facts, compileBody }) }));
  const drafts = found.map(({ draft }) => draft).filter((draft) => draft !== undefined);
  const brokenIds = found.filter(({ draft }) => draft === undefined).map(({ id }) => id);
  addRoutes(drafts, brokenIds, report);
  const finished = finishSteps(drafts, { names, report, brokenIds, infersNeeds: true });
  const uses: Use[] = output === undefined ? [] : [{ at: output.at, template: output.value, isVerbatim: true }];
  checkOutput(uses, { steps: finished, brokenIds, names, report });
  return {
    steps: finished,
    ...(maxParallel === undefined ? {} : { maxParallel }),
    ...(output === undefined ? {} : { output: output.value }),
  };
}

/** Steps with their ids: the keys of an object, or what each step of a list says. */
function namedSteps({ fields, items = [] }: Value, report: Report): { id: string; at: Value }[] {
  if (fields === undefined) return items.flatMap((at) => namedItem(at, report));
  return [...fields].flatMap(([id, { key, value }]) => {
    const own = value.fields?.get("id");
    if (own !== undefined && own.value.json !== id)
      report.add(own.key, `Expected no id, or the same as the key ${quote(id)}.`);
    return isId(id, key, report) ? [{ id, at: { ...value, ...(key.span && { span: key.span }) } }] : [];
  });
}

function namedItem(at: Value, report: Report): { id: string; at: Value }[] {
  const id = at.fields?.get("id");
  if (id === undefined) report.add(at, "Expected a step with an id, got none.");
  else if (typeof id.value.json === "string" && isId(id.value.json, id.value, report)) {
    return [{ id: id.value.json, at: { ...at, ...(id.value.span && { span: id.value.span }) } }];
  }
  return [];
}

function isId(id: string, at: Place, report: Report): boolean {
  if (idPattern.test(id)) return true;
  report.add(at, `Expected an id of letters, digits, _ and -, such as extract_text, got ${quote(id)}.`);
  return false;
}

/** A route is an edge that its target did not ask for. */
function addRoutes(drafts: readonly StepDraft[], brokenIds: readonly string[], report: Report): void {
  const byId = new Map(drafts.map((draft): [string, StepDraft] => [draft.step.id, draft]));
  for (const { step, routes } of drafts) {
    for (const { exit, to, at } of routes) {
      const target = byId.get(to);
      if (target === undefined) {
        if (!brokenIds.includes(to)) reportUnknown(to, [...byId.keys()], at, report);
        continue;
      }
      const double = target.needs.find((need: Need) => need.from === step.id && need.exit === undefined);
      if (double !== undefined) {
        report.add(
          double.at,
          `Expected ${quote(to)} to be reached by the route of ${quote(step.id)}, got it among its needs as well.`,
          {
            hint: "Take it out of needs: a need is met on every way.",
          },
        );
      }
      target.needs.push({ from: step.id, exit, at });
    }
  }
}

function reportUnknown(id: string, known: readonly string[], at: Value, report: Report): void {
  report.add(at, `Expected the id of a step, got ${quote(id)}.`, () => suggest(id, known));
}
