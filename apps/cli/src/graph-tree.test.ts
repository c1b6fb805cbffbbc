import { readWorkflow } from "@drover/workflow/read-workflow";
import { describe, expect, it } from "vitest";
import { graphRows } from "./graph-tree.ts";
import { stepsOfGraph } from "./graph-view.ts";

const source = `
drover: workflow/v1
name: drawn
steps:
  first: { value: [1] }
  map:
    each: { items: "\${steps.first.output}", as: one, concurrency: 2 }
    steps:
      inside: { run: "true", image: busybox }
  ask:
    approval: { approvers: [ann, bob] }
    needs: [first]
    routes:
      - { when: output.approved, to: go }
      - { default: true, to: stay }
  go: { llm: { model: [openai/a, echo/echo], prompt: x } }
  stay: { wait: 1m }
  end: { worker: finish, needs: [map, go, stay], when: "length(steps.map.output) > 0" }
`;

describe("the rows of a graph", () => {
  it("say what each step does, when, and what it waits for; what is inside a step stands below it", () => {
    const reading = readWorkflow({ text: source });
    if ("faults" in reading) throw new Error(JSON.stringify(reading.faults));
    expect(graphRows(stepsOfGraph(reading.definition)).map((row) => row.join(" | "))).toEqual([
      "first | value | ",
      "├─ map | steps | for each one, 2 at once",
      "│    : inside | container busybox | ",
      "└─ ask | approval by ann, bob | ",
      "   ├─ go | llm openai/a, echo/echo | if output.approved",
      "   └─ stay | wait | otherwise",
      "end | worker finish | after map, go, stay, only if length(steps.map.output) > 0",
    ]);
  });
});
