import { createClient } from "@connectrpc/connect";
import { RunService, RunState, StepState } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { describe, expect, it } from "vitest";
import { testImage } from "../../apps/agent/src/docker/testing.ts";
import { engine, makeNode, setup, watchContainers } from "./setup.ts";
import { createWorld, type World } from "./world.ts";

describe.skipIf(engine.missing !== undefined)(`workflows over containers ${engine.missing ?? ""}`, () => {
  it("hand what a container prints to the next step, and to the output of the run", async () => {
    await using world = createWorld();
    const { workflows, runs } = await open(world);
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: words
input: {type: object, properties: {words: {type: array}}, required: [words]}
steps:
  length:
    image: ${testImage}
    command: [sh, -c, 'echo "__DSPY_RESULT__:{\\"length\\": $(printf %s "$WORD" | wc -c)}"']
    env: {WORD: "\${item}"}
    each: \${input.words}
  total:
    image: ${testImage}
    command: [sh, -c, 'echo "__DSPY_RESULT__:$(($A + $B))"']
    env: {A: "\${steps.length.output[0].length}", B: "\${steps.length.output[1].length}"}
output: \${steps.total.output}
`,
    });
    const { id } = await runs.startRun({ workflow: "words", input: { words: ["one", "three"] } });
    const end = await ended(runs, id);
    expect(end).toMatchObject({ state: RunState.COMPLETED, output: { kind: { value: 8 } } });
  }, 60_000);

  it("are cancelled down to the container, also from within a nested run", async () => {
    await using world = createWorld();
    const { workflows, runs, containers, ledger } = await open(world);
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: endless
steps:
  outer: {image: ${testImage}, command: [sleep, "600"]}
  body:
    steps:
      inner: {image: ${testImage}, command: [sleep, "600"]}
  after: {image: ${testImage}, command: ["true"], needs: [outer]}
`,
    });
    const { id } = await runs.startRun({ workflow: "endless" });
    await expect.poll(containers.running, { timeout: 20_000 }).toBe(2);
    expect(await runs.cancelRun({ id, reason: "enough" })).toMatchObject({ state: RunState.RUNNING });
    const end = await ended(runs, id);
    expect(end).toMatchObject({ state: RunState.CANCELLED, error: { class: "cancelled", message: "enough" } });
    expect(end.steps.map((step) => step.state)).toEqual([StepState.CANCELLED, StepState.CANCELLED, StepState.SKIPPED]);
    expect(await containers.all()).toBe(0);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);

  it("end at their deadline, with what still runs stopped", async () => {
    await using world = createWorld();
    const { workflows, runs, containers } = await open(world);
    await workflows.applyWorkflow({
      source: `
drover: workflow/v1
name: late
timeout: 3s
steps:
  slow: {image: ${testImage}, command: [sleep, "600"]}
`,
    });
    const { id } = await runs.startRun({ workflow: "late" });
    const end = await ended(runs, id);
    expect(end).toMatchObject({ state: RunState.FAILED, error: { class: "deadline_exceeded" } });
    expect(await containers.all()).toBe(0);
  }, 60_000);
});

async function open(world: World) {
  const { databaseUrl, api, ledger } = await setup(world);
  const login = await makeNode(world, databaseUrl, "flow");
  const containers = await watchContainers(world, engine.host, login.node);
  await world.agent(login).says("this host");
  const workflows = createClient(WorkflowService, api.transport());
  return { workflows, runs: createClient(RunService, api.transport()), containers, ledger };
}

async function ended(runs: ReturnType<typeof createClient<typeof RunService>>, id: string) {
  for await (const _ of runs.watchRun({ id })) continue;
  const { run } = await runs.getRun({ id });
  if (run === undefined) throw new Error(`expected run ${id}`);
  return run;
}
