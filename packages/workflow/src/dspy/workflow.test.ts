import { describe, expect, it } from "vitest";
import type { Json } from "@drover/domain/json";
import { readWorkflow } from "../read-workflow.ts";
import { compile, messagesOf, readExample, stepOf } from "../testing.ts";

const node = { id: "a", name: "A", type: "custom", custom: { k: 1 } };
const edge = { id: "e", source: "a", target: "a", kind: "control" };

function workflowOf(change: { [key: string]: Json }): { [key: string]: Json } {
  return { name: "W", nodes: [node], edges: [edge], ...change };
}

describe("a workflow of nodes and edges", () => {
  it("compiles as the example shows", () => {
    const definition = compile(readExample("review.json"));
    expect(
      definition.steps.map(({ id, class: queue, work, needs = [] }) => [
        id,
        work.kind,
        queue,
        ...needs.map(({ from }) => from),
      ]),
    ).toEqual([
      ["patch", "task", "gpu_slurm"],
      ["tests", "task", "cpu_short", "patch"],
      ["score", "value", undefined, "tests"],
      ["tune", "task", "gpu_slurm", "score"],
      ["ship", "value", undefined, "tune"],
      ["note", "value", undefined, "tests"],
    ]);
    expect(definition).toMatchObject({
      name: "wf-review",
      tags: ["agent", "go"],
      failure: { onFailure: "stop" },
      context: {
        id: "wf-review",
        version: "3",
        tenant: "acme",
        tags: ["agent", "go"],
        node_index: { signature: ["patch"], custom: ["note"] },
      },
    });
    expect(definition.context).toHaveProperty("nodes.0.signature.prompt", "Fix the failing test in ${package}.");
    expect(stepOf(definition, "patch").work).toMatchObject({
      type: "signature",
      payload: {
        prompt: "Fix the failing test in $${package}.",
        tools: ["grep"],
        max_tokens: 800,
        input: "${input}",
        workflow_run_id: "${run.id}",
        node_id: "patch",
      },
    });
    expect(stepOf(definition, "tests").timeoutSeconds).toBe(120);
    expect(stepOf(definition, "note").work).toEqual({
      kind: "value",
      output: { ack: true, node_id: "note", type: "custom", config: { room: "reviews" } },
    });
  });

  it("with one node and an edge to itself runs: the edge is left out, and that is said", () => {
    const reading = readWorkflow({ json: workflowOf({}) });
    expect(reading).toMatchObject({
      format: "dspy",
      definition: { steps: [{ id: "a" }] },
      warnings: [{ path: "edges[0]" }],
    });
    expect(reading).not.toHaveProperty("definition.steps.0.needs");
  });

  it.each([
    [{ name: " " }, "workflow name is required"],
    [{ nodes: [] }, "workflow requires at least one node"],
    [{ edges: [] }, "workflow requires at least one edge to express flow"],
    [{ nodes: [{ ...node, id: "" }] }, "node[0] missing id"],
    [{ nodes: [node, node] }, 'duplicate node id "a"'],
    [{ nodes: [{ ...node, name: "" }] }, 'node "a" missing name'],
    [{ nodes: [{ ...node, type: "loop" }] }, 'node "a" invalid: unknown node type "loop"'],
    [{ nodes: [{ ...node, type: "signature" }] }, 'node "a" invalid: signature node requires signature config'],
    [{ nodes: [{ ...node, type: "signature", signature: {} }] }, 'node "a" invalid: signature prompt is required'],
    [{ nodes: [{ ...node, type: "verifier" }] }, 'node "a" invalid: verifier node requires verifier config'],
    [
      { nodes: [{ ...node, type: "verifier", verifier: { weight: 1 } }] },
      'node "a" invalid: verifier command is required',
    ],
    [
      { nodes: [{ ...node, type: "verifier", verifier: { command: "x", weight: -1 } }] },
      'node "a" invalid: verifier weight must be non-negative',
    ],
    [{ nodes: [{ ...node, type: "reward" }] }, 'node "a" invalid: reward node requires reward config'],
    [{ nodes: [{ ...node, type: "reward", reward: {} }] }, 'node "a" invalid: reward metric is required'],
    [{ nodes: [{ ...node, type: "training" }] }, 'node "a" invalid: training node requires training config'],
    [
      { nodes: [{ ...node, type: "training", training: { skill: "s" } }] },
      'node "a" invalid: training method is required',
    ],
    [
      { nodes: [{ ...node, type: "training", training: { method: "m" } }] },
      'node "a" invalid: training skill is required',
    ],
    [{ nodes: [{ ...node, type: "deployment" }] }, 'node "a" invalid: deployment node requires deployment config'],
    [{ nodes: [{ ...node, type: "deployment", deployment: {} }] }, 'node "a" invalid: deployment tenant is required'],
    [
      { nodes: [{ ...node, type: "deployment", deployment: { tenant: "t" } }] },
      'node "a" invalid: deployment domain is required',
    ],
    [
      { nodes: [{ ...node, type: "deployment", deployment: { tenant: "t", domain: "d" } }] },
      'node "a" invalid: deployment channel is required',
    ],
    [{ nodes: [{ ...node, custom: {} }] }, 'node "a" invalid: custom node requires configuration'],
    [{ edges: [{ ...edge, id: "" }] }, "edge[0] missing id"],
    [{ edges: [edge, edge] }, 'duplicate edge id "e"'],
    [{ edges: [{ ...edge, source: "" }] }, 'edge "e" requires both source and target'],
    [{ edges: [{ ...edge, source: "x" }] }, 'edge "e" references unknown source "x"'],
    [{ edges: [{ ...edge, target: "x" }] }, 'edge "e" references unknown target "x"'],
    [{ edges: [{ ...edge, kind: "" }] }, 'edge "e" missing kind'],
    [{ nodes: "none" }, 'Expected a list, got "none".'],
  ])("is refused in the words that its users know: %j", (change, message) => {
    expect(messagesOf(workflowOf(change as { [key: string]: Json }))).toContain(message);
  });

  it("is told of every fault at once, and of circles", () => {
    expect(messagesOf({ name: "", nodes: [{}], edges: [{}] })).toEqual([
      "workflow name is required",
      "node[0] missing id",
      'node "" missing name',
      'node "" invalid: unknown node type ""',
      "edge[0] missing id",
    ]);
    const nodes = [node, { ...node, id: "b" }];
    const edges = [
      { ...edge, target: "b" },
      { ...edge, id: "e2", source: "b" },
    ];
    expect(messagesOf(workflowOf({ nodes, edges }))).toEqual(["Expected steps without a circle, got b -> a -> b."]);
  });

  it("lets unknown keys through, and takes null for nothing", () => {
    expect(messagesOf(workflowOf({ description: null, ui: { zoom: 2 }, tags: null }))).toEqual([]);
  });
});
