import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { findTestEngine, testImage } from "../docker/testing.ts";
import { containerName, containerSpec } from "../docker/spec.ts";
import type { DockerExecutorOptions } from "./docker.ts";
import { createDockerExecutor } from "./docker.ts";
import type { RunRequest } from "./executor.ts";
import { claimKey } from "./executor.ts";
import { folderOf, prepareFolder } from "./folder.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

const engine = await findTestEngine();

/** What a former life of an agent left in the engine: a container with its labels, made without any executor. */
function setup(options: Partial<DockerExecutorOptions> = {}) {
  const taskBase = temporaryFolder();
  const holder = `test-${taskBase.slice(-6)}`;
  const executor = createDockerExecutor({ holder, epoch: () => "2", taskBase, host: engine.host, ...options });
  const leave = async (request: RunRequest, of = holder, installation?: string) => {
    if (!("docker" in engine)) throw new Error(engine.missing);
    const folder = await prepareFolder({ base: taskBase }, request);
    const facts = {
      image: testImage,
      owner: { holder: of, installation: () => installation },
      epoch: "1",
      startedAt: new Date(),
      folder,
      workDir: "/workspace",
      mounts: [],
      defaultPids: 512,
    };
    const spec = { ...containerSpec(request, facts), name: containerName(request) };
    return engine.docker.createContainer(spec);
  };
  const count = async (of = holder) =>
    "docker" in engine
      ? (await engine.docker.listContainers({ all: true, filters: { label: [`drover.holder=${of}`] } })).length
      : 0;
  return { executor, holder, taskBase, leave, count };
}

const script = (text: string) => ({ image: testImage, command: ["sh", "-c", text] });

describe.skipIf(engine.missing !== undefined)(`adopting containers ${engine.missing ?? ""}`, () => {
  it("takes up a running container with its log and waits for its end", async () => {
    const { executor, leave, count } = setup();
    const execution = {
      ...script('echo one; until [ -e go ]; do sleep 0.05; done; echo two; echo "__DSPY_RESULT__:7"; echo 1 > o.json'),
      artifacts: { outputs: [{ path: "o.json" }] },
    };
    const request = requestOf(execution);
    const container = await leave(request);
    await container.start();
    const logs = collectLogs();
    const { taskKey, fence } = request;
    const [run] = await executor.adopt([{ taskKey, fence, request }], () => logs);
    await vi.waitFor(() => expect(logs.text("stdout")).toBe("one\n"), { timeout: 5000 });
    await container.exec({ Cmd: ["touch", "/workspace/go"] }).then((exec) => exec.start({}));
    expect(await run?.outcome).toMatchObject({
      state: "completed",
      result: { stdoutTail: "one\ntwo\n__DSPY_RESULT__:7\n", runnerOutput: 7, outputsSummary: { "o.json": 1 } },
    });
    expect(await count()).toBe(0);
  });

  it("takes up what an agent that was killed had started, and nothing of it was lost", async () => {
    const { executor, holder, taskBase, count } = setup();
    const execution = { ...script("echo before; until [ -e go ]; do sleep 0.05; done; cat payload.json"), tenant: "t" };
    const request = requestOf(execution, { payload: ["kept"] });
    const agent = spawnAgent({ holder, taskBase, host: engine.host, request });
    onTestFinished(() => void agent.kill("SIGKILL"));
    await once(agent.stdout, "data");
    agent.kill("SIGKILL");
    await once(agent, "exit");
    const logs = collectLogs();
    const [run] = await executor.adopt([{ taskKey: request.taskKey, fence: request.fence, request }], () => logs);
    writeFileSync(join(folderOf(taskBase, request), "go"), "");
    expect(await run?.outcome).toMatchObject({
      state: "completed",
      result: { stdoutTail: 'before\n["kept"]', workingDir: folderOf(taskBase, request) },
    });
    expect(logs.text("stdout")).toBe('before\n["kept"]');
    expect(await count()).toBe(0);
  });

  it("yields the outcome of a container that has ended already, and ships its log since the given time only", async () => {
    const { executor, leave, count } = setup();
    const request = requestOf(script("echo early; exit 5"));
    const container = await leave(request);
    await container.start();
    await container.wait();
    const logs = collectLogs();
    const held = { taskKey: request.taskKey, fence: request.fence, request, logsSince: new Date() };
    const [run] = await executor.adopt([held], () => logs);
    expect(await run?.outcome).toMatchObject({
      errorClass: "exit_nonzero",
      result: { exitCode: 5, stdoutTail: "early\n" },
    });
    expect(logs.text("stdout")).toBe("");
    expect(await count()).toBe(0);
  });

  it("starts a container that was created and never started", async () => {
    const { executor, leave } = setup();
    const request = requestOf(script("cat payload.json"), { payload: "p" });
    await leave(request);
    const [run] = await executor.adopt([{ taskKey: request.taskKey, fence: request.fence, request }], collectLogs);
    expect(await run?.outcome).toMatchObject({ state: "completed", result: { stdoutTail: '"p"' } });
  });

  it("stops an adopted container, also at the time limit that began in its former life", async () => {
    const { executor, leave } = setup({ stopGraceSeconds: 0.2 });
    const request = requestOf(script("sleep 30"), { timeoutSeconds: 0.001 });
    const container = await leave(request);
    await container.start();
    const [run] = await executor.adopt([{ taskKey: request.taskKey, fence: request.fence, request }], collectLogs);
    expect(await run?.outcome).toMatchObject({ errorClass: "timeout" });
  });

  it("has no run for a claim without a container, and leaves other holders' containers alone", async () => {
    const { executor, leave, count, holder } = setup({ sweepGraceSeconds: 0 });
    const request = requestOf(script("sleep 30"));
    const container = await leave(request, `${holder}-other`);
    expect(await executor.adopt([{ taskKey: request.taskKey, fence: request.fence, request }], collectLogs)).toEqual(
      [],
    );
    expect(await executor.sweep(new Set())).toEqual({ removed: [] });
    expect(await count(`${holder}-other`)).toBe(1);
    await container.remove({ force: true });
  });

  it("leaves containers of another installation alone, whose node has the same name", async () => {
    const own = { sweepGraceSeconds: 0, installation: () => "one" };
    const { executor, leave, count, holder } = setup(own);
    const [theirs, ours, before] = [1, 2, 3].map(() => requestOf(script("sleep 30")));
    if (theirs === undefined || ours === undefined || before === undefined) throw new Error("expected three requests");
    const container = await leave(theirs, holder, "two");
    await leave(ours, holder, "one");
    await leave(before, holder);
    expect(
      await executor.adopt([{ taskKey: theirs.taskKey, fence: theirs.fence, request: theirs }], collectLogs),
    ).toEqual([]);
    expect((await executor.sweep(new Set())).removed.toSorted()).toEqual([ours, before].map(containerName).toSorted());
    expect(await executor.start(theirs, collectLogs()).outcome).toMatchObject({
      errorClass: "start_failed",
      message: expect.stringContaining("taken"),
    });
    expect(await count()).toBe(1);
    await container.remove({ force: true });
  });

  it("removes nothing that names an installation before it knows its own", async () => {
    const { executor, leave, holder } = setup({ sweepGraceSeconds: 0 });
    const container = await leave(requestOf(script("sleep 30")), holder, "two");
    expect(await executor.sweep(new Set())).toEqual({ removed: [] });
    await container.remove({ force: true });
  });

  it("goes on with its own container where the name is taken by it, and refuses another's", async () => {
    const { executor, leave, holder } = setup();
    const own = requestOf(script("echo own"));
    await leave(own);
    expect(await executor.start(own, collectLogs()).outcome).toMatchObject({
      state: "completed",
      result: { stdoutTail: "own\n" },
    });
    const foreign = requestOf(script("echo mine"));
    const container = await leave(foreign, `${holder}-other`);
    expect(await executor.start(foreign, collectLogs()).outcome).toMatchObject({
      errorClass: "start_failed",
      message: expect.stringContaining("taken"),
    });
    await container.remove({ force: true });
  });

  it("sweeps what no claim names once it is old enough, and never what runs in this life", async () => {
    const { leave, count, taskBase, holder, executor } = setup();
    const [kept, lost] = [requestOf(script("sleep 30")), requestOf(script("sleep 30"))];
    for (const request of [kept, lost]) await (await leave(request)).start();
    expect(await executor.sweep(new Set([claimKey(kept)]))).toEqual({ removed: [] });
    const hasty = createDockerExecutor({
      holder,
      epoch: () => "3",
      taskBase,
      host: engine.host,
      sweepGraceSeconds: 0,
      stopGraceSeconds: 0,
    });
    const [run] = await hasty.adopt([{ taskKey: kept.taskKey, fence: kept.fence, request: kept }], collectLogs);
    expect(await hasty.sweep(new Set())).toEqual({ removed: [containerName(lost)] });
    expect(await count()).toBe(1);
    await run?.stop("drained");
    expect(await run?.outcome).toMatchObject({ errorClass: "drained" });
    expect(await count()).toBe(0);
    expect(folderOf(taskBase, kept)).toContain(kept.fence);
  });

  it("removes nothing while the engine cannot list, and says that adopting is not possible now", async () => {
    const { executor } = setup({
      host: "unix:///tmp/drover-no-such.sock",
      engineTimeoutSeconds: 0,
      sweepGraceSeconds: 0,
    });
    expect(await executor.sweep(new Set())).toEqual({ removed: [] });
    await expect(executor.adopt([], collectLogs)).rejects.toMatchObject({ reason: "unavailable" });
  });
});

/** An agent in a process of its own: it starts a task and tells its output. */
function spawnAgent(facts: { holder: string; taskBase: string; host: string; request: RunRequest }) {
  const source = `
    import { createDockerExecutor } from ${JSON.stringify(fileURLToPath(new URL("docker.ts", import.meta.url)))};
    const { request, ...rest } = ${JSON.stringify(facts)};
    createDockerExecutor({ epoch: () => "1", ...rest }).start(request, { write: (_, text) => process.stdout.write(text) });`;
  return spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "inherit"] });
}
