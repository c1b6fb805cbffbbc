import { stringify } from "yaml";
import { describe, expect, it } from "vitest";
import type { Json } from "@drover/domain/json";
import { readWorkflow } from "../read-workflow.ts";
import { compile, faultsOf, messagesOf, readExample, stepOf } from "../testing.ts";

type Tree = { [key: string]: Json };
const base = {
  schema_version: "1.0",
  flow: { name: "flow" },
  state: {
    fields: { topic: { type: "str", required: true }, text: { type: "str" }, done: { type: "bool", default: false } },
  },
  nodes: [
    {
      id: "write",
      prompt: "About {topic}",
      outputs: ["text", "done"],
      output_schema: {
        type: "object",
        fields: [
          { name: "text", type: "str" },
          { name: "done", type: "bool" },
        ],
      },
    },
  ],
  edges: [
    { from: "START", to: "write" },
    { from: "write", to: "END" },
  ],
  config: { llm: { provider: "openai", model: "gpt-4o-mini" } },
} satisfies Tree;
const [write] = base.nodes;
const text = { outputs: ["text"], output_schema: { type: "str" } };

/** The messages about the small workflow above with some of it changed. */
function messages(change: Tree): string {
  return messagesOf({ ...base, ...change }).join("\n");
}

function node(change: Tree): Tree {
  return { nodes: [{ ...write, ...change }] };
}

describe("a workflow of state, nodes and edges", () => {
  const definition = compile(readExample("article.yaml"));

  it("has its state, its input and its end", () => {
    expect(definition.state).toMatchObject({
      topic: { merge: "replace" },
      audience: { merge: "replace", default: "everybody" },
      outline: { merge: "append", default: null },
      notes: { merge: "append", default: null },
    });
    expect(definition.state?.["topic"]).not.toHaveProperty("default");
    expect(definition.input).toMatchObject({
      required: ["topic"],
      properties: { outline: { type: "array", items: { type: "string" } } },
      additionalProperties: false,
    });
    expect(definition).toMatchObject({
      name: "article",
      timeoutSeconds: 600,
      failure: { onFailure: "stop" },
      output: "${state}",
    });
  });

  it("asks models with prompts in which placeholders are references, and writes what they answer", () => {
    expect(stepOf(definition, "plan")).toMatchObject({
      work: {
        models: [{ provider: "google", model: "gemini-2.5-flash-lite" }],
        prompt: 'Plan an article about ${state.topic} for ${state.audience}.\nAnswer as {"outline": [...]}.\n',
        temperature: 0.7,
        maxReasks: 3,
        output: {
          properties: { outline: { type: "array", items: { type: "string" }, description: "Headings in order" } },
          required: ["outline"],
        },
      },
      writes: { outline: "${output.outline}" },
      retry: { maxAttempts: 4 },
    });
    expect(stepOf(definition, "write").work).toMatchObject({
      models: [{ provider: "anthropic", model: "claude-3-5-haiku-latest" }],
      prompt: "Write along ${state.outline}. So far: ${state.draft}",
      temperature: 0.7,
      maxOutputTokens: 2000,
      memory: { scope: "workflow/article", maxEntries: 10 },
    });
    expect(stepOf(definition, "tease")).toMatchObject({ writes: { teaser: "${output}" } });
    expect(stepOf(definition, "tease").work).not.toHaveProperty("output");
  });

  it("runs code in a container without network, with the limits of its preset", () => {
    const { work, timeoutSeconds, writes } = stepOf(definition, "count");
    expect({ work, timeoutSeconds, writes }).toMatchObject({
      work: {
        execution: {
          executor: "docker",
          image: "python:3.12-slim",
          readOnlyRoot: true,
          resources: { cpuMillicores: 500, memoryBytes: 268_435_456 },
        },
        payload: { inputs: { text: "${state.draft}" }, outputs: { words: "int" }, isSingle: true },
        take: "runnerOutput",
      },
      timeoutSeconds: 30,
      writes: { words: "${output.words}" },
    });
    expect(work).not.toHaveProperty("execution.network");
  });

  it("loops, routes and ends as its edges say", () => {
    expect(stepOf(definition, "write").repeat).toEqual({
      until: "output.is_good",
      maxIterations: 3,
      atBound: "complete",
    });
    expect(stepOf(definition, "count").exits).toEqual([
      { when: "state.words >= 200 and not (state.teaser != '')", group: 0 },
      { group: 0 },
    ]);
    expect(definition.steps.map(({ id, needs = [] }) => [id, ...needs])).toEqual([
      ["plan"],
      ["write", { from: "plan" }],
      ["count", { from: "write" }],
      ["tease", { from: "count", exit: 0 }],
      ["comment", { from: "count", exit: 1 }],
    ]);
  });

  it("honours a condition on an edge, also on one from START", () => {
    const second = { ...write, id: "more" };
    const edges: Tree[] = [
      { from: "START", to: "write", condition: "state.done == False" },
      { from: "write", to: "more", condition: { logic: "state.done" } },
      { from: "write", to: "END" },
      { from: "more", to: "END" },
    ];
    const { steps } = compile(stringify({ ...base, nodes: [write, second], edges }));
    expect(steps.map(({ id, exits, needs }) => ({ id, exits, needs }))).toEqual([
      { id: "START", exits: [{ when: "state.done == False", group: 0 }], needs: undefined },
      { id: "write", exits: [{ when: "state.done", group: 0 }], needs: [{ from: "START", exit: 0 }] },
      { id: "more", exits: undefined, needs: [{ from: "write", exit: 0 }] },
    ]);
  });

  it("ends after 120 seconds where it does not say when, and that is said", () => {
    const reading = readWorkflow({ json: base });
    expect(reading).toMatchObject({
      definition: { timeoutSeconds: 120 },
      warnings: [{ message: expect.stringContaining("120 s") }],
    });
  });

  it("keeps a dollar in front of a placeholder, and ${ as it is", () => {
    const { steps } = compile(stringify({ ...base, ...node({ prompt: "${0} costs ${topic}, {{topic}}" }) }));
    expect(steps[0]?.work).toMatchObject({ prompt: "$${0} costs ${'$'}${state.topic}, {topic}" });
  });
});

describe("a fault of state, nodes and edges", () => {
  const edges = (...list: Tree[]): Tree => ({ edges: [...base.edges, ...list] });
  const fields = (change: Tree): Tree => ({ state: { fields: { ...base.state.fields, ...change } } });

  it.each([
    [{ schema_version: "2.0" }, 'Expected schema_version "1.0", got "2.0".'],
    [{ schema_version: 1 }, 'Expected schema_version "1.0", got 1.'],
    [{ flow: { name: " " } }, "Expected a text, got"],
    [{ flow: { name: "f", tags: ["a"] } }, 'Expected a key of flow, got "tags".'],
    [{ state: { fields: {} } }, "Expected at least one state field, got none."],
    [fields({ x: { type: "string" } }), "Expected str, int, float, bool, list, dict"],
    [fields({ x: { type: "object" } }), "object with a schema"],
    [fields({ x: { type: "str", required: true, default: "y" } }), 'Expected no default for "x", which is required'],
    [fields({ x: { type: "int", default: "y" } }), 'Expected a default of type int, got "y".'],
    [{ nodes: [] }, "Expected a list of at least 1"],
    [node({ id: "a-b" }), "Expected a Python identifier"],
    [{ nodes: [write, write] as Json[] }, 'Expected each id once, got "write" again.'],
    [node({ prompt: null }), 'Expected "prompt" in a node, got nothing.'],
    [node({ outputs: [] }), "Expected a list of at least 1"],
    [node({ outputs: ["txt", "done"] }), 'Expected a state field, got "txt".'],
    [node({ outputs: ["text"] }), 'Expected "done" among the outputs'],
    [node({ outputs: ["text", "done", "topic"] }), 'Expected "topic" among the fields of output_schema'],
    [node({ output_schema: { type: "str" } }), "Expected one output for an output_schema of type str, got 2."],
    [node({ output_schema: { type: "object" } }), 'Expected "fields" in an output_schema of type object'],
    [
      node({ outputs: ["text"], output_schema: { type: "int" } }),
      'Expected the type of the state field "text", str, got int.',
    ],
    [node({ prompt: "About {tpic}" }), 'Expected the name of an input or a state field, got "{tpic}".'],
    [node({ prompt: "About {state.tpic}" }), 'Expected the name of a state field, got "{state.tpic}".'],
    [node({ inputs: { x: "{state.tpic}" } }), 'Expected the name of a state field, got "{state.tpic}".'],
    [node({ prommpt: "x" }), 'Expected a key of a node, got "prommpt".'],
    [node({ tools: ["web_search"] }), 'The tool "web_search" is not built.'],
    [node({ tools: [{ name: "sql_query", config: {} }] }), 'The tool "sql_query" is not built.'],
    [node({ llm: { temperature: 1.5 } }), "Expected a number from 0 to 1, got 1.5."],
    [node({ llm: { api_base: "http://x" } }), '"api_base" is not built'],
    [node({ llm: { provider: "cohere" } }), 'Expected "openai", "anthropic", "google" or "ollama", got "cohere".'],
    [{ config: {} }, 'Expected a model for node "write", got none.'],
    [node({ code: "result = 1", sandbox: { enabled: false } }), "Code outside of a sandbox is not built"],
    [node({ code: "result = 1", sandbox: { timeout: 4000 } }), "Expected a number from 1 to 3600, got 4000."],
    [node({ sandbox: { preset: "low" } }), "Expected a sandbox only on a node with code"],
    [node({ log_artifacts: true }), "log_artifacts is not built"],
    [node({ optimize: { enabled: true } }), "Optimization of prompts is not built."],
    [{ optimization: { enabled: true } }, "Optimization of prompts is not built."],
    [{ webhook: {} }, '"webhook" is not built'],
    [{ config: { ...base.config, storage: { backend: "sqlite" } } }, '"storage" is not built'],
    [
      { config: { ...base.config, observability: { mlflow: { enabled: true } } } },
      "MLflow (costs and tokens stand in drover run cost) is not built.",
    ],
    [{ config: { ...base.config, observability: { metrics: [] } } }, '"metrics" is not built'],
    [{ config: { ...base.config, observability: { logging: { level: "LOUD" } } } }, "CRITICAL"],
    [edges({ from: "writ", to: "END" }), 'Expected the id of a node, got "writ".'],
    [edges({ from: "write", to: "START" }), "no edge leads to START"],
    [edges({ from: "END", to: "write" }), "no edge leads from END"],
    [edges({ from: "write" }), "Expected an edge with one of to, routes or loop, got none."],
    [
      edges({ from: "write", to: "END", routes: [{ condition: { logic: "default" }, to: "END" }] }),
      "got to and routes.",
    ],
    [edges({ from: "START", to: "write" }), "Expected one edge from START, got a second one."],
    [edges({ from: "write", to: ["END"] }), "at least two different nodes"],
    [
      edges({ from: "write", routes: [{ condition: { logic: "state.done" }, to: "END" }] }),
      "Expected one default route, got none.",
    ],
    [
      edges({
        from: "write",
        routes: [
          { condition: { logic: "state.dne" }, to: "END" },
          { condition: { logic: "default" }, to: "END" },
        ],
      }),
      '"state.dne": expected one of its properties, got "dne".',
    ],
    [edges({ from: "write", to: "END", condition: "state.done =" }), "Expected"],
    [
      edges({ from: "write", loop: { condition_field: "text" } }),
      'Expected a state field of type bool, got "text" of type str.',
    ],
    [edges({ from: "write", loop: { condition_field: "dne" } }), 'Expected a state field, got "dne".'],
    [
      edges({ from: "write", loop: { condition_field: "done", max_iterations: 101 } }),
      "Expected a whole number from 1 to 100, got 101.",
    ],
    [
      {
        edges: [
          { from: "START", to: "END" },
          { from: "write", to: "END" },
        ],
      },
      'Expected a way from START to "write", got none.',
    ],
    [{ edges: [{ from: "START", to: "write" }] }, 'Expected a way from "write" to END, got none.'],
    [{ edges: [{ from: "write", to: "END" }] }, "Expected an edge from START, got none."],
  ] as [Tree, string][])("%j", (change, message) => {
    expect(messages(change)).toContain(message);
  });

  it("is none where what is not built is switched off or harmless", () => {
    const observability = { mlflow: { enabled: false, tracking_uri: "x" }, logging: { level: "DEBUG" } };
    expect(messages({ config: { ...base.config, observability }, optimization: { enabled: false } })).toBe("");
    expect(messages(node({ log_artifacts: false, log_prompts: true, memory: { enabled: false } }))).toBe("");
  });

  it("is none for a tool that says what runs it", () => {
    const tool = {
      name: "grep",
      on_error: "continue",
      config: { image: "alpine:3.22", command: ["grep", "${input.word}"], parameters: { word: "text" } },
    };
    const { steps } = compile(stringify({ ...base, ...node({ ...text, tools: [tool] }) }));
    expect(steps[0]?.work).toMatchObject({
      tools: [{ name: "grep", onError: "tell", parameters: { required: ["word"] } }],
    });
  });

  it("has its line and column, and all others with it", () => {
    const lines = readExample("article.yaml")
      .replace("{topic} for {state.audience}", "{topik} for {state.audienc}")
      .replace("exit_to: count", "exit_to: cuont");
    expect(faultsOf(lines)).toEqual([
      '23:29 Expected the name of an input or a state field, got "{topik}".',
      '23:41 Expected the name of a state field, got "{state.audienc}".',
      '66:67 Expected the id of a node, got "cuont".',
    ]);
  });
});
