import { list, record } from "@drover/document/shape/record";
import { anything, flag, number, placed, text, word, type Read } from "@drover/document/shape/shape";
import { money } from "@drover/document/shape/unit";

const none = { hasNulls: true } as const;
const seconds = () => number({ above: 0, max: 31_622_400 });
const name = () => text({ max: 100, pattern: /^[^\p{Cc}]+$/u, expected: "a name on one line" });
const modules = ["HR", "Finance", "Inventory", "Compliance", "General"] as const;
/** What a run fills in, as it stands in objects that were saved: not read. */
const fromRuns = { status: anything(), result: anything(), id: anything() };

const agent = record({
  name: "an agent",
  ...none,
  refused: {
    on_success: "let another agent depend on this one.",
    on_failure: "let another agent depend on this one.",
  },
  required: { name: placed(name()), prompt_template: placed(text()) },
  optional: {
    ...fromRuns,
    description: text({ blank: true }),
    module: word(modules),
    llm_config: record({
      name: "llm_config",
      ...none,
      required: { model: placed(text()) },
      optional: {
        provider: text(),
        temperature: number({ min: 0, max: 2 }),
        max_tokens: number({ min: 1, whole: true }),
      },
    }),
    tools: list(placed(anything())),
    dependencies: list(placed(text())),
    max_retries: number({ min: 0, max: 99, whole: true }),
    timeout: seconds(),
    cost_limit: money(),
    priority: number({ min: -100, max: 100, whole: true }),
    tags: list(text()),
    metadata: anything(),
  },
});
export type RawAgent = Read<typeof agent>;

export const document = record({
  name: "a workflow",
  ...none,
  required: { name: text({ max: 200 }), agents: list(placed(agent), { min: 1, name: "a list of agents" }) },
  optional: {
    ...fromRuns,
    description: text({ blank: true }),
    module: word(modules),
    max_parallel_agents: number({ min: 1, max: 100_000, whole: true }),
    cost_budget: money(),
    timeout: seconds(),
    allow_partial_completion: flag(),
    tags: list(text()),
    metadata: anything(),
  },
});
