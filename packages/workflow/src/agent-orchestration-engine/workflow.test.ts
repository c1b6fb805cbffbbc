import { describe, expect, it } from "vitest";
import type { Json } from "@drover/domain/json";
import { compile, messagesOf, readExample, stepOf } from "../testing.ts";

const agent = { name: "A", llm_config: { model: "gpt-4" }, prompt_template: "Hi" };

function messages(change: { [key: string]: Json }, more: { [key: string]: Json } = {}): string {
  return messagesOf({ name: "w", agents: [{ ...agent, ...change }], ...more }).join("\n");
}

describe("a workflow of agents", () => {
  const definition = compile(readExample("hiring.yaml"));

  it("keeps its limits", () => {
    expect(definition).toMatchObject({
      name: "hiring",
      maxParallel: 3,
      budgetNanos: 500_000_000,
      timeoutSeconds: 600,
      failure: { onFailure: "continue", maxFailedShare: 0.5 },
    });
    const { steps: _, ...plain } = compile(
      JSON.stringify({ name: "w", agents: [agent], allow_partial_completion: false }),
    );
    expect(plain).toEqual({
      name: "w",
      maxParallel: 10,
      budgetNanos: 100_000_000_000,
      timeoutSeconds: 3600,
      failure: { onFailure: "stop", maxFailedShare: 0.5 },
    });
  });

  it("passes what agents said to those that name them", () => {
    expect(stepOf(definition, "ResumeParser")).toMatchObject({
      work: {
        models: [{ provider: "openai", model: "gpt-4o-mini" }],
        prompt: "List skills and years of experience in: ${input.resume}",
        temperature: 0.2,
        maxOutputTokens: 800,
      },
      priority: 8,
      isCritical: true,
      retry: { maxAttempts: 4 },
      timeoutSeconds: 300,
      budgetNanos: 1_000_000_000,
    });
    expect(stepOf(definition, "Screener")).toMatchObject({
      work: {
        models: [{ provider: "anthropic" }],
        prompt: "Does this fit ${input.position}? ${steps.ResumeParser.output}",
        temperature: 0.7,
        maxOutputTokens: 1000,
      },
      needs: [{ from: "ResumeParser" }],
      retry: { maxAttempts: 2 },
      budgetNanos: 50_000_000,
      priority: 5,
    });
    expect(stepOf(definition, "Screener")).not.toHaveProperty("isCritical");
    expect(stepOf(definition, "Interview Planner").work).toMatchObject({
      models: [{ provider: "ollama", model: "llama3.2" }],
      prompt: "Plan an interview for ${steps.Screener.output}. Write {name} where the name belongs.",
    });
  });

  it("finds agents with blanks in their names, and needs them", () => {
    const { steps } = compile(
      JSON.stringify({
        name: "w",
        agents: [
          { ...agent, name: "Big Reader" },
          { ...agent, name: "B", prompt_template: "{Big Reader}" },
        ],
      }),
    );
    expect(steps[1]).toMatchObject({
      work: { prompt: '${steps["Big Reader"].output}' },
      needs: [{ from: "Big Reader" }],
    });
  });

  it.each([
    [{ name: "" }, "Expected a name on one line"],
    [{ prompt_template: null }, 'Expected "prompt_template" in an agent, got nothing.'],
    [{ llm_config: null }, 'Expected llm_config with a model for the agent "A", got none.'],
    [{ llm_config: { model: "llama3" } }, 'Expected a model whose provider its name tells, got "llama3".'],
    [{ dependencies: ["AA"] }, 'Expected the id of a step, got "AA".'],
    [{ dependencies: ["A"] }, 'Expected another step, got "A" itself.'],
    [{ prompt_template: "{Reader}" }, 'Expected the name of an agent or input.<name>, got "{Reader}".'],
    [{ tools: ["search"] }, 'The tool "search" is not built.'],
    [{ tools: [{ type: "function", function: { name: "search" } }] }, 'The tool "search" is not built.'],
    [{ on_success: "notify" }, '"on_success" is not built'],
    [{ on_failure: "notify" }, '"on_failure" is not built'],
    [{ module: "Sales" }, 'Expected "HR", "Finance", "Inventory", "Compliance" or "General", got "Sales".'],
    [{ max_retries: -1 }, "Expected a whole number from 0 to 99, got -1."],
    [{ timeout: 0 }, "Expected a number above 0"],
    [{ cost_limit: 0 }, "Expected US dollars above 0"],
    [{ maxretries: 1 }, 'Expected a key of an agent, got "maxretries".'],
  ])("%j", (change, message) => {
    expect(messages(change as { [key: string]: Json })).toContain(message);
  });

  it("has agents, each once, and no circles", () => {
    expect(messages({}, { agents: [] })).toContain("Expected a list of agents of at least 1");
    expect(messages({}, { agents: [agent, agent] })).toContain('Expected each id once, got "A" again.');
    const circle = [
      { ...agent, dependencies: ["B"] },
      { ...agent, name: "B", dependencies: ["A"] },
    ];
    expect(messages({}, { agents: circle })).toContain("Expected steps without a circle, got B -> A -> B.");
  });

  it("may be an object that was saved with its run", () => {
    expect(
      messages(
        { id: "x", status: "pending", result: null, tools: [], tags: ["a"], metadata: { a: 1 } },
        { status: "pending", id: "y" },
      ),
    ).toBe("");
  });
});
