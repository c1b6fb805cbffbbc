import { describe, expect, it } from "vitest";
import type { Json } from "../../json.ts";
import type { LlmWork, Step, Tool } from "../definition.ts";
import type { LlmToolCall } from "../llm-call.ts";
import type { World } from "./testing-engine.ts";
import type { SimRun, SimTask } from "./testing-store.ts";
import { begin, failure, rowOf, stepWith, task, value } from "./testing-play.ts";

const models = [
  { provider: "echo", model: "small" },
  { provider: "other", model: "large" },
];

function talk(work: Partial<LlmWork>, { rest = {}, input = {} }: { rest?: Partial<Step>; input?: Json } = {}) {
  const llm: LlmWork = { kind: "llm", models: models.slice(0, 1), prompt: "Say ${input.word}", ...work };
  return begin({ steps: [stepWith("ask", [], llm, rest)] }, { input: { word: "hello", ...(input as object) } });
}

/** The only task that is open. */
function only(world: World): SimTask {
  const [first, ...others] = world.open();
  if (first === undefined || others.length > 0) throw new Error(`expected one task, got ${others.length + 1}`);
  return first;
}

/** The open task answers as a model does. */
function answer(world: World, text: string, toolCalls?: LlmToolCall[]): void {
  complete(world, only(world), {
    text,
    finishReason: "stop",
    usage: { inputTokens: 1, outputTokens: 1 },
    ...(toolCalls !== undefined && { toolCalls: toolCalls as unknown as Json }),
  });
}

function complete(world: World, open: SimTask, result: Json): void {
  world.endTask(open, { state: "completed", result });
  world.settle();
}

function fail(world: World, open: SimTask, message?: string): void {
  world.endTask(open, failure(message));
  world.settle();
}

function messages(world: World) {
  return only(world).call?.messages ?? [];
}

function outputOf(run: SimRun): Json | undefined {
  return rowOf(run, "ask").output;
}

describe("a conversation", () => {
  it("is one call that says all that is needed to make it and to charge it", () => {
    const { world, run } = talk({
      system: "Be brief.",
      temperature: 0.5,
      maxOutputTokens: 9,
      isLogged: true,
      redact: ["x"],
    });
    expect(only(world)).toMatchObject({ class: "llm", type: "echo", payload: null, timeoutSeconds: 300 });
    expect(only(world).call).toEqual({
      provider: "echo",
      model: "small",
      system: "Be brief.",
      messages: [{ role: "user", text: "Say hello" }],
      temperature: 0.5,
      maxOutputTokens: 9,
      inputTokens: expect.any(Number) as number,
      charge: { workflow: "story", rootRunId: run.id, runId: run.id, step: "ask" },
      isLogged: true,
      redact: ["x"],
    });
  });

  it("without a schema gives the text", () => {
    const { world, run } = talk({});
    answer(world, "hello");
    expect(run.end).toMatchObject({ state: "completed", output: { ask: "hello" } });
  });

  it("fails with a readable message where its prompt cannot be filled in", () => {
    const { run } = talk({ prompt: "${input.wrod}" });
    expect(rowOf(run, "ask").error).toEqual({
      class: "expression_failed",
      message: 'The prompt: in input: expected one of the keys "word", got "wrod"; did you mean "word"?',
    });
  });

  it("is as many conversations as a map has items", () => {
    const { world, run } = talk({ prompt: "${item}" }, { rest: { each: { items: ["a", "b"] } } });
    for (const open of world.open())
      complete(world, open, { text: `about ${open.call?.messages[0]?.role} ${open.item}` });
    expect(run.end?.output).toEqual({ ask: ["about user 0", "about user 1"] });
  });

  it("begins anew in every round of a loop, with what the former gave", () => {
    const { world, run } = talk(
      { prompt: "Better than ${previous}" },
      { rest: { repeat: { until: "output == 'good'", maxIterations: 3, atBound: "fail" } } },
    );
    answer(world, "bad");
    expect(messages(world)).toEqual([{ role: "user", text: "Better than bad" }]);
    answer(world, "good");
    expect(run.end?.output).toEqual({ ask: "good" });
  });
});

describe("structured output", () => {
  const output = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };

  it("is the value, fenced or not, and null where the model says null", () => {
    for (const [schema, text, expected] of [
      [output, '{"n":1}', { n: 1 }],
      [output, '```json\n{"n":1}\n```', { n: 1 }],
      [{ type: "null" }, "null", null],
    ] as const) {
      const { world, run } = talk({ output: schema });
      answer(world, text);
      expect(run.end?.output).toEqual({ ask: expected });
    }
  });

  it("is asked for again with what is wrong, and taken when it fits", () => {
    const { world, run } = talk({ output });
    answer(world, "Sure!");
    expect(messages(world)).toEqual([
      { role: "user", text: "Say hello" },
      { role: "assistant", text: "Sure!" },
      {
        role: "user",
        text: "Your answer does not fit the required JSON schema: it is not JSON. Answer again with JSON that fits it, and nothing else.",
      },
    ]);
    answer(world, '{"m":1}');
    expect(messages(world).at(-1)).toMatchObject({ text: expect.stringContaining("n is missing") as string });
    answer(world, '{"n":2}');
    expect(run.end?.output).toEqual({ ask: { n: 2 } });
  });

  it("is given up after as many asks as are allowed", () => {
    const { world, run } = talk({ output, maxReasks: 1 });
    answer(world, "no");
    answer(world, '{"n":"x"}');
    expect(rowOf(run, "ask").error).toEqual({
      class: "invalid_output",
      message: "After 2 answers the model's output still breaks its schema: n: expected number, got string.",
    });
    expect(world.tasks.size).toBe(2);
  });
});

describe("tools", () => {
  const add: Tool = {
    name: "add",
    parameters: { type: "object", required: ["a"] },
    work: { kind: "task", type: "adder", payload: { first: "${input.a}", word: "${steps.before.output}" } },
    class: "cpu_long",
    timeoutSeconds: 7,
    onError: "tell",
  };

  function withTools(work: Partial<LlmWork> = {}) {
    const llm: LlmWork = {
      kind: "llm",
      models,
      prompt: "Count",
      tools: [add, { ...add, name: "must", onError: "fail" }],
      ...work,
    };
    return begin({
      steps: [value("before", "w"), stepWith("ask", ["before"], llm, { class: "llm_slow" }), task("after", ["ask"])],
    });
  }

  it("run as tasks of their own, and what they give goes into the next call", () => {
    const { world, run } = withTools();
    expect(only(world).call?.tools).toEqual([
      { name: "add", parameters: add.parameters },
      { name: "must", parameters: add.parameters },
    ]);
    answer(world, "let me see", [{ id: "c1", name: "add", arguments: { a: 2 } }]);
    expect(only(world)).toMatchObject({
      type: "adder",
      class: "cpu_long",
      timeoutSeconds: 7,
      payload: { first: 2, word: "w" },
    });
    expect(run.counts.running).toBe(1);
    complete(world, only(world), { sum: 3 });
    expect(only(world)).toMatchObject({ class: "llm_slow", type: "echo" });
    expect(messages(world)).toEqual([
      { role: "user", text: "Count" },
      { role: "assistant", text: "let me see", toolCalls: [{ id: "c1", name: "add", arguments: { a: 2 } }] },
      { role: "tool", callId: "c1", name: "add", result: { sum: 3 }, isError: false },
    ]);
    answer(world, "It is 3.");
    expect(outputOf(run)).toBe("It is 3.");
  });

  it("give the model what a step would hand on of their results", () => {
    const work: Tool["work"] = { kind: "task", execution: { command: ["add"] } };
    const { world } = withTools({ tools: [{ ...add, work }] });
    answer(world, "", [{ id: "c1", name: "add", arguments: { a: 2 } }]);
    complete(world, only(world), { exitCode: 0, runnerOutput: { sum: 3 } });
    expect(messages(world).at(-1)).toMatchObject({ result: { sum: 3 } });
  });

  it("run side by side, and the next call waits for all of them", () => {
    const { world } = withTools();
    answer(world, "", [
      { id: "c1", name: "add", arguments: { a: 1 } },
      { id: "c2", name: "add", arguments: { a: 2 } },
    ]);
    const [first, second] = world.open();
    if (first === undefined || second === undefined) throw new Error("two tasks are expected");
    complete(world, second, "two");
    expect(world.open()).toEqual([first]);
    complete(world, first, "one");
    expect(messages(world).flatMap((said) => (said.role === "tool" ? [[said.callId, said.result]] : []))).toEqual([
      ["c2", "two"],
      ["c1", "one"],
    ]);
  });

  it("that do not exist, or got what does not fit or cannot be read, tell the model so at once", () => {
    const { world } = withTools();
    answer(world, "", [
      { id: "c1", name: "subtract", arguments: {} },
      { id: "c2", name: "add", arguments: { b: 1 } },
      { id: "c3", name: "add", arguments: "{a:", fault: "unexpected end" },
    ]);
    expect(messages(world).slice(2)).toEqual([
      {
        role: "tool",
        callId: "c1",
        name: "subtract",
        result: 'There is no tool "subtract"; there are: add, must.',
        isError: true,
      },
      { role: "tool", callId: "c2", name: "add", result: "The arguments do not fit: a is missing.", isError: true },
      {
        role: "tool",
        callId: "c3",
        name: "add",
        result: "The arguments cannot be read: unexpected end.",
        isError: true,
      },
    ]);
  });

  it("that fail are told to the model", () => {
    const { world } = withTools();
    answer(world, "", [{ id: "c1", name: "add", arguments: { a: 1 } }]);
    fail(world, only(world), "Overflow.");
    expect(messages(world).at(-1)).toMatchObject({ result: "error: Overflow.", isError: true });
  });

  it("that must not fail fail the step, once the others have ended", () => {
    const { world, run } = withTools();
    answer(world, "", [
      { id: "c1", name: "must", arguments: { a: 1 } },
      { id: "c2", name: "add", arguments: { a: 2 } },
    ]);
    const [must, other] = world.open();
    if (must === undefined || other === undefined) throw new Error("two tasks are expected");
    fail(world, must, "Overflow.");
    expect(other.isCancelRequested).toBe(true);
    expect(rowOf(run, "ask").state).toBe("running");
    world.endTask(other, { state: "cancelled" });
    world.settle();
    expect(rowOf(run, "ask").error).toEqual({ class: "error", message: 'Tool "must" failed: Overflow.' });
    expect(run.end?.state).toBe("partially_completed");
  });

  it("are asked for in a bounded number of turns", () => {
    const { world, run } = withTools({ maxTurns: 2 });
    answer(world, "", [{ id: "c1", name: "nothing", arguments: {} }]);
    answer(world, "", [{ id: "c2", name: "nothing", arguments: {} }]);
    expect(rowOf(run, "ask").error).toEqual({
      class: "too_many_turns",
      message: "The model asked for tools in 2 turns, which is as many as it may have.",
    });
  });

  it("start nothing for a run that stops, which ends when the last of them has ended", () => {
    const { world, run } = withTools();
    answer(world, "", [
      { id: "c1", name: "add", arguments: { a: 1 } },
      { id: "c2", name: "add", arguments: { a: 2 } },
    ]);
    world.signal(run, { kind: "cancel", reason: "Enough." });
    world.settle();
    const [first, second] = world.open();
    if (first === undefined || second === undefined) throw new Error("two tasks are expected");
    expect([first, second].map((open) => open.isCancelRequested)).toEqual([true, true]);
    complete(world, first, 1);
    expect(run.end).toBeUndefined();
    world.endTask(second, { state: "cancelled" });
    world.settle();
    expect(run.end?.state).toBe("cancelled");
    expect(rowOf(run, "ask").state).toBe("cancelled");
  });

  it("are not called by an answer that comes after the run began to stop", () => {
    const { world, run } = withTools();
    world.signal(run, { kind: "cancel", reason: "Enough." });
    answer(world, "", [{ id: "c1", name: "add", arguments: { a: 1 } }]);
    expect(world.open()).toEqual([]);
    expect(run.end?.state).toBe("cancelled");
  });

  it("that cannot be started fail the step with the reason", () => {
    const { world, run } = begin(
      {
        steps: [
          stepWith("ask", [], {
            kind: "llm",
            models,
            prompt: "x",
            tools: [{ ...add, work: { kind: "task", type: "adder" } }],
          }),
        ],
      },
      {
        refuse: (unit) =>
          "type" in unit && unit.type === "adder" ? { class: "invalid_execution", message: "No class." } : undefined,
      },
    );
    answer(world, "", [{ id: "c1", name: "add", arguments: { a: 1 } }]);
    expect(rowOf(run, "ask").error).toEqual({ class: "invalid_execution", message: "No class." });
  });
});

describe("models", () => {
  it("are tried in order when one fails for good, with what was said so far", () => {
    const { world, run } = talk({ models, output: { type: "number" } });
    answer(world, "what?");
    fail(world, only(world), "Overloaded.");
    expect(only(world)).toMatchObject({ type: "other", call: { provider: "other", model: "large" } });
    expect(messages(world)).toHaveLength(3);
    answer(world, "4");
    expect(outputOf(run)).toBe(4);
  });

  it("fail the step with the error of the last", () => {
    const { world, run } = talk({ models });
    fail(world, only(world), "First.");
    fail(world, only(world), "Second.");
    expect(rowOf(run, "ask").error).toEqual({ class: "error", message: "Second." });
  });

  it("are not tried after a call that somebody cancelled", () => {
    const { world, run } = talk({ models });
    world.endTask(only(world), { state: "cancelled" });
    world.settle();
    expect(world.tasks.size).toBe(1);
    expect(run.end?.state).toBe("failed");
  });
});

describe("memory", () => {
  const memory = { scope: "notes", maxEntries: 2 };

  it("is kept by a tool, and told to later steps and runs, the newest entries only", () => {
    const llm = (prompt: string): LlmWork => ({ kind: "llm", models, prompt, system: "Be kind.", memory });
    const { world, run } = begin({ steps: [stepWith("one", [], llm("a")), stepWith("two", ["one"], llm("b"))] });
    expect(only(world).call).toMatchObject({ system: "Be kind.", tools: [{ name: "remember" }] });
    answer(world, "", [
      { id: "c1", name: "remember", arguments: { key: "name", value: "Ada" } },
      { id: "c2", name: "remember", arguments: { key: "age", value: 36 } },
      { id: "c3", name: "remember", arguments: { key: "city", value: { in: "London" } } },
      { id: "c4", name: "remember", arguments: { value: 1 } },
    ]);
    expect(
      messages(world)
        .slice(2)
        .map((said) => said.role === "tool" && said.result),
    ).toEqual(["remembered", "remembered", "remembered", "Expected a key (text) and a value."]);
    answer(world, "done");
    expect(only(world).call?.system).toBe('Be kind.\n\nWhat you remember:\n- age: 36\n- city: {"in":"London"}');
    expect(world.memory.get("notes")).toEqual({ name: "Ada", age: 36, city: { in: "London" } });
    answer(world, "bye");
    expect(run.end?.state).toBe("completed");
  });
});
