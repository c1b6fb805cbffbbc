import { layoutGraph } from "./graph-layout.ts";
import { conditionText, type GraphStep } from "./graph-view.ts";
import type { Cell, Column } from "./table.ts";

export const graphColumns: Column[] = [
  { heading: "STEP" },
  { heading: "WORK", isFlexible: true },
  { heading: "NOTE", isFlexible: true },
];

/** A graph as rows: a tree of steps, what each does, and when. */
export function graphRows(steps: readonly GraphStep[], indent = ""): (Cell | string)[][] {
  const lines = layoutGraph(steps.map(({ id, needs }) => ({ id, needs: needs.map(({ from }) => from) })));
  return lines.flatMap(({ index, prefix, joins }) => {
    const step = steps[index];
    if (step === undefined) return [];
    const own = [
      indent + prefix + step.id,
      step.work,
      [...(joins.length > 0 ? [afterText(step)] : wayText(step)), ...step.notes].join(", "),
    ];
    return [own, ...graphRows(step.body, `${indent}${" ".repeat(prefix.length)}  : `)];
  });
}

/** A graph in the language of Mermaid. */
export function graphMermaid(steps: readonly GraphStep[]): string[] {
  const lines = ["flowchart TD"];
  const draw = (list: readonly GraphStep[], scope: string, indent: string) => {
    const places = new Map(list.map(({ id }, place) => [id, place]));
    const name = (id: string) => `${scope}${places.get(id)}`;
    for (const step of list) {
      const label = mermaidText([step.id, step.work, ...step.notes].join("\n"));
      if (step.body.length === 0) lines.push(`${indent}${name(step.id)}["${label}"]`);
      else {
        lines.push(`${indent}subgraph ${name(step.id)}["${label}"]`);
        draw(step.body, `${name(step.id)}_`, `${indent}  `);
        lines.push(`${indent}end`);
      }
    }
    for (const step of list) {
      for (const { from, condition } of step.needs) {
        const way = condition === "" ? "-->" : `-->|"${mermaidText(conditionText(condition))}"|`;
        lines.push(`${indent}${name(from)} ${way} ${name(step.id)}`);
      }
    }
  };
  draw(steps, "s", "  ");
  return lines;
}

/** A graph in the language of Graphviz. */
export function graphDot(steps: readonly GraphStep[], title: string): string[] {
  const lines = [`digraph ${dotText(title)} {`, "  node [shape=box];"];
  const draw = (list: readonly GraphStep[], scope: string, indent: string) => {
    for (const step of list) {
      const node = dotText(scope + step.id);
      lines.push(`${indent}${node} [label=${dotText([step.id, step.work, ...step.notes].join("\n"))}];`);
      if (step.body.length > 0) {
        lines.push(
          `${indent}subgraph ${dotText(`cluster ${scope}${step.id}`)} {`,
          `${indent}  label=${dotText(`inside ${step.id}`)};`,
        );
        draw(step.body, `${scope}${step.id}/`, `${indent}  `);
        lines.push(`${indent}}`);
      }
      for (const { from, condition } of step.needs) {
        const label = condition === "" ? "" : ` [label=${dotText(conditionText(condition))}]`;
        lines.push(`${indent}${dotText(scope + from)} -> ${node}${label};`);
      }
    }
  };
  draw(steps, "", "  ");
  return [...lines, "}"];
}

function wayText({ needs: [need] }: GraphStep): string[] {
  return need === undefined || need.condition === "" ? [] : [conditionText(need.condition)];
}

function afterText({ needs }: GraphStep): string {
  return `after ${needs.map(({ from, condition }) => (condition === "" ? from : `${from} (${conditionText(condition)})`)).join(", ")}`;
}

function mermaidText(text: string): string {
  return text
    .replaceAll("#", "#35;")
    .replaceAll('"', "#quot;")
    .replaceAll("<", "#lt;")
    .replaceAll(">", "#gt;")
    .replaceAll("\n", "<br>");
}

function dotText(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
