import { describe, expect, it } from "vitest";
import { toGraph } from "./graph-text.ts";
import { compile, droverWith, readExample } from "./testing.ts";

describe("a drawing", () => {
  it("shows steps, needs and routes as Mermaid", () => {
    const graph = toGraph(compile(readExample("documents.yaml")));
    expect(graph.split("\n").slice(0, 3)).toEqual([
      "flowchart TD",
      '  s0["list<br/>process"]',
      '  s1["extract<br/>alpine:3.22<br/>for each file"]',
    ]);
    expect(graph).toContain('s3{{"judge');
    expect(graph).toContain('s3 -->|"output.doubtful #62; 0 and input.publish"| s4');
    expect(graph).toContain('s3 -->|"otherwise"| s5');
  });

  it("shows the same to Graphviz", () => {
    const graph = toGraph(compile(readExample("documents.yaml")), { format: "dot" });
    expect(graph).toContain('digraph "document-report" {');
    expect(graph).toContain('s3 -> s4 [label="output.doubtful > 0 and input.publish", style=dashed];');
  });

  it("draws bodies as boxes, and lets no label out of its quotes", () => {
    const definition = compile(
      droverWith({ outer: { steps: { inner: { value: 1, when: `run.id == '"]; click' or run.id == '<b>'` } } } }),
    );
    const graph = toGraph(definition);
    expect(graph).toContain('subgraph s0["outer<br/>steps"]');
    expect(graph).toContain("#34;#93;#59; click");
    expect(graph).not.toContain("<b>");
    expect(toGraph(definition, { format: "dot" })).toContain(String.raw`'\"]; click'`);
  });
});
