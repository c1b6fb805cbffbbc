import type { Definition } from "@drover/domain/workflow/definition";
import { finishSteps } from "../check/finish.ts";
import type { Report } from "@drover/document/source/report";
import { fieldOf, namesOf, type Value } from "@drover/document/source/value";
import { compileAgent } from "./agent.ts";
import { document as shape } from "./document.ts";

/** Compiles a workflow of agents that depend on each other by name. */
export function compileEngine(document: Value, report: Report): Definition | undefined {
  const raw = shape.read(document, report);
  if (raw === undefined) return undefined;
  const names = [...namesOf(fieldOf(document, "agents"), "name")];
  const whole = new Set(raw.agents.map(({ value }) => value.name.value));
  const brokenIds = names.filter((name) => !whole.has(name));
  const drafts = raw.agents.map((agent) => compileAgent(agent, names, report));
  const steps = finishSteps(drafts, { names: {}, report, brokenIds, infersNeeds: true });
  const { max_parallel_agents = 10, cost_budget = 100e9, timeout = 3600, allow_partial_completion = true } = raw;
  return {
    name: raw.name,
    ...(raw.description ? { description: raw.description } : {}),
    ...(raw.tags === undefined ? {} : { tags: raw.tags }),
    failure: { onFailure: allow_partial_completion ? "continue" : "stop", maxFailedShare: 0.5 },
    timeoutSeconds: Math.ceil(timeout),
    budgetNanos: cost_budget,
    maxParallel: max_parallel_agents,
    steps,
  };
}
