import { describe, expect, it } from "vitest";
import { compatSummary, type CompatVersion, compatWorkflow, taskContext } from "./compat-workflow.ts";
import type { Definition } from "./workflow/definition.ts";

const nodes = [{ id: "a", name: "A", type: "custom", custom: { x: 1 }, position: { x: 0, y: 1 } }];
const edges = [{ id: "e", source: "a", target: "a", kind: "data" }];
const context = { id: "wf-1", name: "One", version: "", tenant: "", tags: [], nodes, edges, node_index: {} };

function setup(definition: Partial<Definition>, more: Partial<CompatVersion> = {}): CompatVersion {
  const at = new Date("2026-05-01T12:00:00Z");
  const steps: Definition["steps"] = [{ id: "a", work: { kind: "value" } }];
  return {
    id: "wf-1",
    number: 4,
    format: "dspy",
    createdAt: at,
    updatedAt: at,
    definition: { name: "wf-1", steps, ...definition },
    ...more,
  };
}

describe("compatWorkflow", () => {
  it("shows nodes and edges as they were handed in, and leaves out what is not said", () => {
    const time = "2026-05-01T12:00:00.000Z";
    expect(compatWorkflow(setup({ context }))).toEqual({
      id: "wf-1",
      name: "One",
      created_at: time,
      updated_at: time,
      nodes,
      edges,
    });
  });

  it("shows the steps of another format as custom nodes, and what they need as edges", () => {
    const needs = [
      { from: "a", exit: 0 },
      { from: "a", exit: 1 },
    ];
    const steps: Definition["steps"] = [
      { id: "a", name: "First", work: { kind: "event", name: "go" } },
      { id: "b", needs, work: { kind: "value" } },
    ];
    const workflow = compatWorkflow(setup({ steps, description: "d", tags: ["t"] }, { format: "drover" }));
    expect(workflow).toMatchObject({
      name: "wf-1",
      description: "d",
      tags: ["t"],
      version: "4",
      format: "drover",
      nodes: [
        { id: "a", name: "First", type: "custom", custom: { kind: "event" } },
        { id: "b", name: "b", type: "custom", custom: { kind: "value" } },
      ],
    });
    expect((workflow["edges"] as { id: string }[]).map((edge) => edge.id)).toEqual(["a-b", "a-b-1"]);
  });
});

describe("compatSummary", () => {
  it("counts nodes and edges instead of showing them", () => {
    const summary = compatSummary(setup({ context: { ...context, version: "2.0", tenant: "acme" } }));
    expect(summary).toEqual({
      id: "wf-1",
      name: "One",
      tenant: "acme",
      version: "2.0",
      updated_at: "2026-05-01T12:00:00.000Z",
      node_count: 1,
      edge_count: 1,
    });
  });
});

describe("taskContext", () => {
  it("gives the whole context, and the tenant where there is one", () => {
    expect(taskContext({ context })).toEqual({ workflow_context: context });
    expect(taskContext({ context: { ...context, tenant: "acme" } })).toMatchObject({ tenant: "acme" });
    expect(taskContext({})).toEqual({});
  });
});
