import type { Definition, Graph, Step, Work } from "@drover/domain/workflow/definition";

interface Node {
  key: string;
  step: Step;
  /** Bodies are drawn as boxes around their steps. */
  children: Node[];
}

interface Arrow {
  from: string;
  to: string;
  label: string;
  isConditional: boolean;
}

const maxLabel = 60;

/** A workflow as a Mermaid flowchart or a Graphviz digraph: steps as boxes, needs as arrows, routes with their conditions. */
export function toGraph(definition: Definition, { format = "mermaid" }: { format?: "mermaid" | "dot" } = {}): string {
  const arrows: Arrow[] = [];
  const nodes = collect(definition, "s", arrows);
  return format === "mermaid" ? mermaid(nodes, arrows) : dot(definition.name, nodes, arrows);
}

/** Steps get keys of their own, because ids may have any characters. */
function collect({ steps }: Graph, prefix: string, arrows: Arrow[]): Node[] {
  const keys = new Map(steps.map((step, number) => [step.id, `${prefix}${number}`]));
  for (const [number, step] of steps.entries()) {
    for (const { from, exit } of step.needs ?? []) {
      const source = steps.find(({ id }) => id === from);
      const taken = exit === undefined ? undefined : source?.exits?.[exit];
      const label = taken === undefined ? "" : (taken.when ?? "otherwise");
      arrows.push({ from: keys.get(from) ?? "", to: `${prefix}${number}`, label, isConditional: exit !== undefined });
    }
  }
  return steps.map((step, number) => {
    const key = `${prefix}${number}`;
    return { key, step, children: step.work.kind === "steps" ? collect(step.work, `${key}_`, arrows) : [] };
  });
}

function mermaid(nodes: readonly Node[], arrows: readonly Arrow[]): string {
  const lines = (level: readonly Node[], indent: string): string[] =>
    level.flatMap(({ key, step, children }) => {
      const label = `"${[step.id, ...about(step)].map(mermaidText).join("<br/>")}"`;
      if (children.length === 0) return [`${indent}${key}${step.exits === undefined ? `[${label}]` : `{{${label}}}`}`];
      return [`${indent}subgraph ${key}[${label}]`, ...lines(children, `${indent}  `), `${indent}end`];
    });
  const links = arrows.map(
    ({ from, to, label }) => `  ${from} -->${label === "" ? "" : `|"${mermaidText(label)}"|`} ${to}`,
  );
  return `${["flowchart TD", ...lines(nodes, "  "), ...links].join("\n")}\n`;
}

function dot(name: string, nodes: readonly Node[], arrows: readonly Arrow[]): string {
  const lines = (level: readonly Node[], indent: string): string[] =>
    level.flatMap(({ key, step, children }) => {
      const label = `"${[step.id, ...about(step)].map(dotText).join(String.raw`\n`)}"`;
      const box = `${indent}${key} [label=${label}${step.exits === undefined ? "" : ", shape=hexagon"}];`;
      if (children.length === 0) return [box];
      return [
        `${indent}subgraph cluster_${key} {`,
        `${indent}  label=${label};`,
        `${indent}  ${key} [shape=point];`,
        ...lines(children, `${indent}  `),
        `${indent}}`,
      ];
    });
  const links = arrows.map(({ from, to, label, isConditional }) => {
    const options = [
      ...(label === "" ? [] : [`label="${dotText(label)}"`]),
      ...(isConditional ? ["style=dashed"] : []),
    ];
    return `  ${from} -> ${to}${options.length === 0 ? "" : ` [${options.join(", ")}]`};`;
  });
  return `${[`digraph "${dotText(name)}" {`, "  node [shape=box];", ...lines(nodes, "  "), ...links, "}"].join("\n")}\n`;
}

/** What a step does, in a line or two. */
function about({ work, each, repeat, when }: Step): string[] {
  return [
    describeWork(work),
    ...(each === undefined ? [] : [`for each ${each.as ?? "item"}`]),
    ...(repeat === undefined ? [] : [`until ${repeat.until}, at most ${repeat.maxIterations} times`]),
    ...(when === undefined ? [] : [`if ${when}`]),
  ].map(shorten);
}

function describeWork(work: Work): string {
  switch (work.kind) {
    case "task":
      return work.execution === undefined ? `worker ${work.type ?? ""}` : (work.execution.image ?? "process");
    case "llm":
      return work.models.map(({ provider, model }) => `${provider}/${model}`).join(", ");
    case "workflow":
      return `workflow ${work.name}`;
    case "event":
      return `event ${JSON.stringify(work.name)}`;
    case "approval":
      return `approval by ${work.approvers.join(", ")}`;
    case "steps":
    case "wait":
    case "value":
      return work.kind;
  }
}

function shorten(text: string): string {
  return text.length > maxLabel ? `${text.slice(0, maxLabel)}…` : text;
}

/** Mermaid reads entities in quoted labels; everything that could end one or be HTML is written as one. */
function mermaidText(text: string): string {
  return shorten(text.replace(/\s+/g, " ")).replace(
    /[^\p{L}\p{N} ._:,/=…-]/gu,
    (character) => `#${character.codePointAt(0)};`,
  );
}

function dotText(text: string): string {
  return shorten(text.replace(/\s+/g, " ")).replace(/["\\]/g, (character) => `\\${character}`);
}
