import { createClient } from "@connectrpc/connect";
import { BudgetService } from "@drover/proto/drover/budget";
import { LimitService } from "@drover/proto/drover/limit";
import { type Run, RunService, RunState } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { describe, expect, it } from "vitest";
import {
  type Behaviour,
  startTestProvider,
  type TestRequest,
} from "../../apps/agent/src/executor/llm/testing-provider.ts";
import { makeNode, setup } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

describe("LLM steps with a provider that misbehaves", () => {
  it("go on with the next model, ask again for a broken answer, and run tools as tasks", async () => {
    await using world = createWorld();
    const { databaseUrl, workflows, run, tasks, requests } = await open(world, (request) => {
      const model = String(request.body["model"]);
      if (model === "broken") return { kind: "status", status: 500 };
      const messages = request.body["messages"] as { role: string; content: unknown }[];
      if (model === "structured") {
        const isFirst = messages.filter((message) => message.role === "assistant").length === 0;
        return { kind: "answer", pieces: [isFirst ? "{" : "", isFirst ? "oops" : '{"title":"fine"}'] };
      }
      const told = messages.find((message) => message.role === "tool");
      if (told === undefined) {
        const fragments = ['{"wo', 'rd":"abc"}'];
        return { kind: "answer", pieces: [], toolCalls: [{ name: "measure", fragments }], finish: "tool_calls" };
      }
      return { kind: "answer", pieces: ["the tool said ", JSON.stringify(told.content)] };
    });
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: talk
steps:
  fallback:
    llm: {model: [local/broken, local/structured], prompt: hello, output: {type: object, properties: {title: {type: string}}, required: [title]}}
    retry: {attempts: 1}
  tools:
    llm:
      model: local/tools
      prompt: how long is abc?
      tools:
        - name: measure
          description: the length of a word
          parameters: {type: object, properties: {word: {type: string}}, required: [word]}
          worker: echo
          payload: \${input}
output: {title: "\${steps.fallback.output.title}", said: "\${steps.tools.output}"}
`,
    });
    world.worker({ name: "hands", types: ["echo"], databaseUrl });
    const end = await run("talk");
    expect(end.error).toBeUndefined();
    expect(end.state).toBe(RunState.COMPLETED);
    expect(end.output?.kind).toMatchObject({
      value: {
        fields: { title: { kind: { value: "fine" } }, said: { kind: { value: expect.stringContaining("abc") } } },
      },
    });
    const { tasks: listed } = await tasks.listTasks({ pageSize: 100 });
    expect(listed.map((task) => task.type).toSorted()).toEqual(["echo", "local", "local", "local", "local", "local"]);
    const models = requests().map((request) => request.body["model"]);
    expect(models.filter((model) => model === "structured")).toHaveLength(2);
    expect(end.statistics).toMatchObject({ calls: 5n });
  }, 60_000);

  it("wait for as long as a 429 says without counting a failure, and a limit names itself", async () => {
    await using world = createWorld();
    let refusals = 1;
    const { workflows, run, api, tasks } = await open(world, () =>
      refusals-- > 0 ? { kind: "status", status: 429, headers: { "retry-after": "1" } } : { kind: "answer" },
    );
    const limits = createClient(LimitService, api.transport());
    await limits.setLimit({ rule: { name: "one", provider: "local", metric: 1, window: 3, allowance: 2n } });
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: limited
steps:
  first: {llm: {model: local/m, prompt: a}, retry: {attempts: 1}}
  second: {llm: {model: local/m, prompt: b}, needs: [first]}
`,
    });
    const runs = createClient(RunService, api.transport());
    const { id } = await runs.startRun({ workflow: "limited" });
    const waiting = async () => {
      const step = (await runs.getRun({ id })).run?.steps[1];
      if (step === undefined || step.taskId === "") return "";
      return (await tasks.getTask({ id: step.taskId })).task?.pending?.message ?? "";
    };
    // The call that was refused counts as a request as well: the second step finds the day used up, and says so.
    await expect.poll(waiting, { timeout: 15_000 }).toContain("one");
    const { run: now } = await runs.getRun({ id });
    expect(now?.steps[0]?.error).toBeUndefined();
    await limits.deleteLimit({ name: "one" });
    expect((await run(id)).state).toBe(RunState.COMPLETED);
  }, 60_000);

  it("stop before a call that a budget does not cover", async () => {
    await using world = createWorld();
    const { workflows, run, api, requests } = await open(world, () => ({ kind: "answer" }));
    const budgets = createClient(BudgetService, api.transport());
    await budgets.setPrice({
      price: { provider: "local", model: "*", inputNanos: 3_000_000_000n, outputNanos: 6_000_000_000n },
    });
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: poor
budget: 0.0001
steps:
  call: {llm: {model: local/m, prompt: "a dear question", maxOutputTokens: 1000}}
`,
    });
    const end = await run("poor");
    expect(end).toMatchObject({ state: RunState.FAILED, steps: [{ error: { class: "budget_exceeded" } }] });
    expect(end.statistics).toMatchObject({ costNanos: 0n, calls: 0n });
    expect(requests()).toEqual([]);
    expect((await budgets.verifyLedger({})).differences).toEqual([]);
  }, 60_000);
});

async function open(world: World, behave: (request: TestRequest) => Behaviour) {
  const { databaseUrl, api, tasks } = await setup(world);
  const provider = await startTestProvider(behave);
  world.defer(provider.stop);
  const login = await makeNode(world, databaseUrl, "caller");
  const env = {
    DROVER_AGENT_DOCKER: "false",
    DROVER_AGENT_LLM_PROVIDERS: `local=${provider.url}/v1`,
    DROVER_AGENT_LLM_KEY_LOCAL: "sk-local-secret-key",
  };
  await world.agent({ ...login, env }).says("this host");
  const runs = createClient(RunService, api.transport());
  return {
    databaseUrl,
    api,
    tasks,
    workflows: createClient(WorkflowService, api.transport()),
    requests: () => provider.requests,
    /** Starts a run of a workflow, or follows one, to its end. */
    async run(what: string): Promise<Run> {
      const id = what.startsWith("run-") ? what : (await runs.startRun({ workflow: what })).id;
      for await (const _ of runs.watchRun({ id })) continue;
      const { run } = await runs.getRun({ id });
      if (run === undefined) throw new Error(`expected run ${id}`);
      return run;
    },
  };
}
