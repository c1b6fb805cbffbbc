import type { Edge, Graph, Step } from "@drover/domain/workflow/definition";
import type { Workflow } from "@drover/proto/drover/workflow";

/** A step as graphs are drawn of it. */
export interface GraphStep {
  id: string;
  /** What it does, in a word or two. */
  work: string;
  /** What else is worth knowing: how often it runs, and when. */
  notes: string[];
  needs: GraphNeed[];
  /** Steps inside it. */
  body: GraphStep[];
}

export interface GraphNeed {
  from: string;
  /** Under which condition that way is taken; "otherwise" for the default; empty: always. */
  condition: string;
}

/** The steps of a definition that was read here, bodies included. */
export function stepsOfGraph({ steps }: Graph): GraphStep[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  return steps.map((step) => ({
    id: step.id,
    work: workText(step),
    notes: notesOf(step),
    needs: (step.needs ?? []).map((edge) => ({ from: edge.from, condition: conditionOf(edge, byId.get(edge.from)) })),
    body: step.work.kind === "steps" ? stepsOfGraph(step.work) : [],
  }));
}

/** The steps as a server tells them: without bodies. */
export function stepsOfMessage({ steps }: Workflow): GraphStep[] {
  return steps.map(({ id, kind, needs, isMapped, isRepeated }) => ({
    id,
    work: kind,
    notes: [...(isMapped ? ["for each item"] : []), ...(isRepeated ? ["repeated"] : [])],
    needs: needs.map(({ from, condition }) => ({ from, condition: condition === "default" ? "otherwise" : condition })),
    body: [],
  }));
}

/** A condition behind a word, so that it reads as part of a sentence. */
export function conditionText(condition: string): string {
  return condition === "" || condition === "otherwise" ? condition : `if ${condition}`;
}

function conditionOf({ exit }: Edge, source: Step | undefined): string {
  return exit === undefined ? "" : (source?.exits?.[exit]?.when ?? "otherwise");
}

function workText({ work }: Step): string {
  switch (work.kind) {
    case "task": {
      if (work.execution === undefined) return `worker ${work.type ?? ""}`.trimEnd();
      return work.execution.image ? `container ${work.execution.image}` : "process";
    }
    case "llm":
      return `llm ${work.models.map(({ provider, model }) => `${provider}/${model}`).join(", ")}`;
    case "workflow":
      return `workflow ${work.name}${work.version === undefined ? "" : ` version ${work.version}`}`;
    case "event":
      return typeof work.name === "string" ? `event ${work.name}` : "event";
    case "approval":
      return work.approvers.length > 0 ? `approval by ${work.approvers.join(", ")}` : "approval";
    case "steps":
    case "wait":
    case "value":
      return work.kind;
  }
}

function notesOf({ each, repeat, when, mayFail, isCritical }: Step): string[] {
  const atOnce = each?.concurrency === undefined ? "" : `, ${each.concurrency} at once`;
  return [
    ...(each === undefined ? [] : [`for each ${each.as ?? "item"}${atOnce}`]),
    ...(repeat === undefined ? [] : [`until ${repeat.until}, ${repeat.maxIterations} times at most`]),
    ...(when === undefined ? [] : [`only if ${when}`]),
    ...(mayFail === true ? ["may fail"] : []),
    ...(isCritical === true ? ["its failure ends the run"] : []),
  ];
}
