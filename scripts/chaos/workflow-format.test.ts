import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { type Run, RunService, RunState } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { describe, expect, it } from "vitest";
import {
  type Behaviour,
  startTestProvider,
  type TestRequest,
} from "../../apps/agent/src/executor/llm/testing-provider.ts";
import { ensurePythonImage, pythonImage } from "./python-image.ts";
import { engine, makeNode, setup } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

const example = (name: string) =>
  readFileSync(join(import.meta.dirname, "../../packages/workflow/example", name), "utf8");

describe.skipIf(engine.missing !== undefined)(
  `workflows of other systems, run for real ${engine.missing ?? ""}`,
  () => {
    it("a configurable-agents workflow loops, counts in a sandboxed container, remembers, and takes its route", async () => {
      await ensurePythonImage(engine.host);
      await using world = createWorld();
      let drafts = 0;
      const { run, prompts } = await open(world, (prompt) => {
        if (prompt.includes("Plan an article")) return '{"outline": ["a", "b"]}';
        if (prompt.includes("Write along")) {
          drafts += 1;
          return JSON.stringify({ draft: `draft ${drafts} of seven words in all`, is_good: drafts === 2 });
        }
        return '{"notes": ["longer, please"]}';
      });
      const source = example("article.yaml").replace("preset: low,", `preset: low, image: "${pythonImage}",`);
      const end = await run(source, { topic: "herding" });
      expect(end.error).toBeUndefined();
      expect(end.state).toBe(RunState.COMPLETED);
      expect(end.fields).toMatchObject({
        topic: "herding",
        outline: ["a", "b"],
        draft: "draft 2 of seven words in all",
        is_good: true,
        words: 7,
        notes: ["longer, please"],
      });
      const rounds = prompts().filter((prompt) => prompt.includes("Write along"));
      expect(rounds).toHaveLength(2);
      expect(rounds[0]).not.toContain("draft 1");
      // The second round reads what the first one wrote.
      expect(rounds[1]).toContain("So far: draft 1 of seven");
      expect(prompts().some((prompt) => prompt.includes("only 7 words"))).toBe(true);
    }, 90_000);

    it("fifteen agents of an engine that may run ten at once all run, and data passes between them", async () => {
      await using world = createWorld();
      const { run, prompts } = await open(world, (prompt) => `answer to ${prompt.slice(0, 40)}`);
      const agents = Array.from({ length: 14 }, (_, n) => ({
        name: `agent-${n}`,
        prompt_template: `question ${n}`,
        llm_config: { model: "gpt-4o-mini" },
      }));
      const last = {
        name: "last",
        prompt_template: "sum up {agent-13}",
        dependencies: ["agent-13"],
        llm_config: { model: "gpt-4o-mini" },
      };
      const end = await run(
        JSON.stringify({ name: "fifteen", max_parallel_agents: 10, agents: [...agents, last] }),
        {},
      );
      expect(end).toMatchObject({ state: RunState.COMPLETED, statistics: { total: 15, completed: 15, calls: 15n } });
      expect(prompts().at(-1)).toContain("sum up answer to question 13");
    }, 60_000);
  },
);

async function open(world: World, answer: (prompt: string) => string) {
  const { databaseUrl, api } = await setup(world);
  const seen: string[] = [];
  const provider = await startTestProvider((request): Behaviour => {
    const prompt = promptOf(request);
    seen.push(prompt);
    return { kind: "answer", pieces: [answer(prompt)] };
  });
  world.defer(provider.stop);
  const env = {
    OPENAI_API_KEY: "sk-openai-test-key",
    OPENAI_BASE_URL: `${provider.url}/v1`,
    ANTHROPIC_API_KEY: "sk-anthropic-test-key",
    ANTHROPIC_BASE_URL: `${provider.url}/v1`,
    GOOGLE_API_KEY: "google-test-key",
    GOOGLE_BASE_URL: `${provider.url}/v1beta`,
  };
  await world.agent({ ...(await makeNode(world, databaseUrl, "models")), env }).says("this host");
  const runs = createClient(RunService, api.transport());
  return {
    prompts: () => seen,
    async run(source: string, input: Record<string, string>): Promise<Run> {
      const { workflow } = await createClient(WorkflowService, api.transport()).applyWorkflow({ source });
      const { id } = await runs.startRun({ workflow: workflow?.name ?? "", input });
      for await (const _ of runs.watchRun({ id })) continue;
      const { run } = await runs.getRun({ id });
      if (run === undefined) throw new Error(`expected run ${id}`);
      return run;
    },
  };
}

/** What the model was asked last, in any of the protocols. */
function promptOf({ body }: TestRequest): string {
  const turns = (body["messages"] ?? body["contents"]) as { content?: unknown; parts?: { text?: string }[] }[];
  const last = turns.at(-1);
  if (typeof last?.content === "string") return last.content;
  const parts = (last?.parts ?? last?.content ?? []) as { text?: string }[];
  return parts.map((part) => part.text ?? "").join("");
}
