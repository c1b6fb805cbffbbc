import { describe, expect, it } from "vitest";
import { compile, droverWith, faultsOf, readExample, stepOf } from "../testing.ts";

/** A workflow of Drover's own format from the line of its steps on, which is line 3. */
function faultsIn(rest: string): string[] {
  return faultsOf(`drover: workflow/v1\nname: test\n${rest}`);
}

describe("a workflow of Drover's own", () => {
  it("compiles as the example shows", () => {
    const definition = compile(readExample("documents.yaml"));
    expect(definition).toMatchObject({
      name: "document-report",
      timeoutSeconds: 3600,
      maxParallel: 8,
      budgetNanos: 1_500_000_000,
    });
    expect(
      definition.steps.map(({ id, needs = [] }) => [
        id,
        ...needs.map(({ from, exit }) => (exit === undefined ? from : `${from}/${exit}`)),
      ]),
    ).toEqual([
      ["list"],
      ["extract", "list"],
      ["summarise", "extract"],
      ["judge", "summarise"],
      ["review", "judge/0"],
      ["report", "review", "judge/1"],
    ]);
    expect(stepOf(definition, "judge").exits).toEqual([
      { when: "output.doubtful > 0 and input.publish", group: 0 },
      { group: 0 },
    ]);
    expect(stepOf(definition, "summarise").retry).toEqual({
      maxAttempts: 4,
      strategy: "exponential",
      baseDelayMs: 2000,
      maxDelayMs: 60_000,
      retryOn: ["rate_limited", "provider_unavailable"],
    });
  });

  it("says how a step is run", () => {
    const { steps } = compile(
      droverWith({
        script: { run: "echo ${HOME}", env: { N: 3, YES: true } },
        container: {
          command: ["a", "${run.id}"],
          image: "x:1",
          resources: { cpu: 0.5, memory: "1G", gpus: 1 },
          readOnlyRoot: true,
        },
        work: {
          worker: "embed",
          payload: { text: "${input.text}" },
          class: "gpu",
          priority: 5,
          timeout: "1h30m",
          mayFail: true,
        },
      }),
    );
    expect(steps.map(({ work }) => work)).toEqual([
      {
        kind: "task",
        execution: { executor: "process", command: ["sh", "-c", "echo $${HOME}"], env: { N: "3", YES: "true" } },
      },
      {
        kind: "task",
        execution: {
          executor: "docker",
          command: ["a", "${run.id}"],
          image: "x:1",
          resources: { cpuMillicores: 500, memoryBytes: 1_073_741_824, gpuCount: 1 },
          readOnlyRoot: true,
        },
      },
      { kind: "task", type: "embed", payload: { text: "${input.text}" } },
    ]);
    expect(steps[2]).toMatchObject({ class: "gpu", priority: 5, timeoutSeconds: 5400, mayFail: true });
  });

  it("says what else a step may be", () => {
    const { steps } = compile(
      droverWith({
        call: { workflow: "other", version: 2, input: { a: 1 } },
        pause: { wait: "10m" },
        later: { wait: "${input.seconds}" },
        date: { waitUntil: "${input.date}" },
        news: { event: "paid-${run.id}", timeout: "1d" },
        ask: { approval: { approvers: ["alice"], atTimeout: "approve" }, timeout: "1d" },
        nothing: { value: null },
        model: {
          llm: {
            model: ["openai/gpt-4o", "gateway/meta/llama-3"],
            prompt: "Hi",
            tools: [{ name: "look", command: ["ls", "${input.path}"], parameters: { path: "text" } }],
          },
        },
        loop: { repeat: { until: "output.done", max: 5, atBound: "complete" }, worker: "step", payload: "${previous}" },
        body: { each: "${input.list}", steps: { one: { value: "${input.x}" } }, maxParallel: 2 },
      }),
    );
    expect(steps.map(({ work }) => work)).toMatchObject([
      { kind: "workflow", name: "other", version: 2, input: { a: 1 } },
      { kind: "wait", seconds: 600 },
      { kind: "wait", seconds: "${input.seconds}" },
      { kind: "wait", until: "${input.date}" },
      { kind: "event", name: "paid-${run.id}" },
      { kind: "approval", approvers: ["alice"], atTimeout: "approve" },
      { kind: "value", output: null },
      {
        kind: "llm",
        models: [
          { provider: "openai", model: "gpt-4o" },
          { provider: "gateway", model: "meta/llama-3" },
        ],
        tools: [{ name: "look", onError: "tell", work: { execution: { command: ["ls", "${input.path}"] } } }],
      },
      { kind: "task", type: "step" },
      { kind: "steps", steps: [{ id: "one" }], maxParallel: 2 },
    ]);
    expect(stepOf({ steps }, "loop").repeat).toEqual({ until: "output.done", maxIterations: 5, atBound: "complete" });
  });

  it("infers needs from references, but only where nothing brings them already", () => {
    const needs = (steps: Parameters<typeof droverWith>[0], id: string) => stepOf(compile(droverWith(steps)), id).needs;
    expect(
      needs(
        { a: { value: 1 }, b: { value: "${steps.a.output}" }, c: { value: "${steps.b.output}${steps.a.output}" } },
        "c",
      ),
    ).toEqual([{ from: "b" }]);
    const branch = {
      a: { value: 1, routes: [{ when: "true", to: "b" }] },
      b: { value: 2 },
      c: { needs: ["b"], value: "${steps.a.output}" },
    };
    expect(needs(branch, "c")).toEqual([{ from: "b" }]);
  });

  it("may list its steps with ids", () => {
    expect(
      compile(
        droverWith([
          { id: "a", value: 1 },
          { id: "b", needs: "a", value: 2 },
        ]),
      ).steps[1],
    ).toMatchObject({ id: "b", needs: [{ from: "a" }] });
    expect(faultsIn("steps:\n  - { id: a, value: 1 }\n  - { value: 2 }\n  - { id: a, value: 3 }\n")).toEqual([
      "5:5 Expected a step with an id, got none.",
      '6:11 Expected each id once, got "a" again.',
    ]);
  });
});

describe("a fault of Drover's own format", () => {
  it("is told with all others at once, each at its place", () => {
    const text = [
      "steps:",
      "  first:",
      "    valeu: 1",
      "  second:",
      "    needs: [frist]",
      "    value: ${input.name",
      "  third:",
      "    when: input.a = 2",
      "    run: echo",
      "    retry: { attempts: 0 }",
      "timeout: soon",
    ].join("\n");
    expect(faultsIn(text)).toEqual([
      expect.stringMatching(/^4:3 Expected a step with one of run, .* got none of them\.$/),
      '5:5 Expected a key of a step, got "valeu".',
      '7:13 Expected the id of a step, got "frist".',
      expect.stringMatching(/^8:12 Expected "}" for the "\$\{" at position 0/),
      expect.stringMatching(/^10:19 Expected .* got "=" at position 8; write ==\.$/),
      "12:24 Expected a whole number from 1 to 100, got 0.",
      expect.stringMatching(/^13:10 Expected a duration above 0 s, .* got "soon"\.$/),
    ]);
  });

  it.each([
    ["steps: {}", "Expected steps"],
    ["steps: { 1a: { value: 1 } }", 'Expected an id of letters, digits, _ and -, such as extract_text, got "1a".'],
    ["steps: { a: { value: 1, run: x } }", 'Expected one of "run" and "value" in a step, got both.'],
    ["steps: { a: { value: 1, image: x } }", 'Expected "image" only together with run or command, got it with value.'],
    ["steps: { a: { run: x, network: y } }", 'Expected "network" only with an image: a process has no container.'],
    ['steps: { a: { run: "echo ${input.x}" } }', "the shell would run what stands there"],
    [
      "steps: { a: { needs: b, value: 1 }, b: { needs: [a], value: 1 } }",
      "Expected steps without a circle, got b -> a -> b.",
    ],
    ["steps: { a: { needs: a, value: 1 } }", 'Expected another step, got "a" itself.'],
    ["steps: { a: { value: 1 }, b: { needs: aa, value: 1 } }", 'Expected the id of a step, got "aa".'],
    ['steps: { a: { value: "${steps.b.output}" }, b: { needs: a, value: 1 } }', "Expected steps without a circle"],
    ['steps: { a: { value: "${stpes.b}" } }', '"stpes.b": expected a name that is known here.'],
    ['steps: { a: { value: 1 }, b: { value: "${a}" } }', '"a": expected a name that is known here.'],
    ['steps: { a: { value: "${item}" } }', '"item": expected a name that is known here.'],
    ['steps: { a: { value: "${steps.a.output}" } }', "expected a step that ends before, got the step itself"],
    [
      'input: { name: text }\nsteps: { a: { value: "${input.nmae}" } }',
      '"input.nmae": expected one of its properties, got "nmae".',
    ],
    [
      'input: { name: text }\nsteps: { a: { value: "${input.name.first}" } }',
      '"name" is of type "string", which has no "first"',
    ],
    [
      'steps: { a: { llm: { model: p/m, prompt: x, output: { n: number } } }, b: { value: "${steps.a.output.m}" } }',
      '"steps.a.output.m": expected one of its properties, got "m".',
    ],
    ["steps: { a: { value: 1 } }\noutput: ${steps.b.output}", 'expected the id of a step, got "b"'],
    [
      "steps: { a: { value: 1, each: { items: [1], concurrency: 0 } } }",
      "Expected a whole number from 1 to 100000, got 0.",
    ],
    [
      "steps: { a: { worker: x, repeat: { until: output, max: 1001 } } }",
      "Expected a whole number from 1 to 1000, got 1001.",
    ],
    ["steps: { a: { worker: x, each: [1], repeat: { until: output } } }", "Expected each or repeat, got both."],
    [
      "steps: { a: { value: 1, routes: [{ to: b }] }, b: { value: 1 } }",
      'Expected a route with either "when" or "default: true", got neither.',
    ],
    [
      "steps: { a: { value: 1, routes: [{ default: true, to: c }] }, b: { value: 1 } }",
      'Expected the id of a step, got "c".',
    ],
    [
      "steps: { a: { value: 1, routes: [{ default: true, to: b }] }, b: { needs: a, value: 1 } }",
      'Expected "b" to be reached by the route of "a"',
    ],
    [
      "steps: { a: { llm: { model: gpt-4o, prompt: x } } }",
      "Expected a provider and a model, such as openai/gpt-4o-mini",
    ],
    [
      "steps: { a: { llm: { model: p/m, prompt: x, redact: ['(a+)+'] } } }",
      "Expected no choice or repetition inside of a repetition.",
    ],
    [
      "steps: { a: { waitUntil: never } }",
      'Expected a date and time with its zone, such as 2026-01-31T12:00:00Z, or ${}, got "never".',
    ],
    ['steps: { a: { waitUntil: "2026-13-45T00:00:00Z" } }', 'got "2026-13-45T00:00:00Z".'],
    ["steps: { a: { approval: { approvers: [] } } }", "Expected a list of approvers of at least 1, got an empty list."],
    ["steps: { a: { wait: 10m, retry: 3 } }", "Expected retry on a task or an llm step, got it with wait."],
    ["budget: 0\nsteps: { a: { value: 1 } }", "Expected US dollars above 0"],
    ["input: { type: objct, properties: {} }\nsteps: { a: { value: 1 } }", 'got "objct". Did you mean "object"?'],
    ["input: { a: nubmer }\nsteps: { a: { value: 1 } }", 'Expected a type, such as "text"'],
    ["input: { a: number = x }\nsteps: { a: { value: 1 } }", 'Expected a default of type "number"'],
    ["steps: { a: { steps: { b: { needs: c, value: 1 } } } }", 'Expected the id of a step, got "c".'],
    [
      'steps: { x: { value: 1 }, a: { steps: { b: { value: "${steps.x.output}" } } } }',
      'expected the id of a step, got "x"',
    ],
    ["onFailure: halt\nsteps: { a: { value: 1 } }", 'Expected "continue" or "stop", got "halt".'],
  ])("%s", (rest, message) => {
    expect(faultsIn(rest).join("\n")).toContain(message);
  });

  it("in one part of a step hides none in another", () => {
    const text = "steps:\n  a:\n    each: ${steps.b.output}\n    llm: { model: gpt-4o, prompt: x }\n";
    expect(faultsIn(text)).toEqual([
      '5:13 "steps.b.output": expected the id of a step, got "b".',
      '6:19 Expected a provider and a model, such as openai/gpt-4o-mini, got "gpt-4o".',
    ]);
  });

  it("is found inside of blocks, line and column", () => {
    const text =
      "steps:\n  a:\n    llm:\n      model: p/m\n      prompt: |\n        Hello\n        to ${input.x} and ${steps.nobody.output}\n";
    expect(faultsIn(text)).toEqual(['9:29 "steps.nobody.output": expected the id of a step, got "nobody".']);
  });

  it("is that there are too many steps", () => {
    const steps = Array.from({ length: 10_001 }, (_, n) => `  s${n}: { value: ${n} }`).join("\n");
    expect(faultsIn(`steps:\n${steps}`)).toEqual(["4:3 Expected at most 10000 steps, got 10001."]);
  });
});

describe("ten thousand steps", () => {
  it("in a chain, each with a reference to the first, are compiled soon", () => {
    const steps = Array.from(
      { length: 10_000 },
      (_, n) => `  s${n}: { value: "\${steps.s${n < 2 ? 0 : n - 1}.output}\${steps.s0.output}" }`,
    );
    steps[0] = "  s0: { value: 1 }";
    const start = performance.now();
    expect(compile(`drover: workflow/v1\nname: chain\nsteps:\n${steps.join("\n")}`).steps.at(-1)?.needs).toEqual([
      { from: "s9998" },
    ]);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});
