import { setTimeout as delay } from "node:timers/promises";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { startDockerd, whyNoDockerd } from "../docker/testing-dockerd.ts";
import type { Treatment } from "../docker/testing-proxy.ts";
import { startEngineProxy } from "../docker/testing-proxy.ts";
import { findTestEngine, testImage } from "../docker/testing.ts";
import type { DockerExecutorOptions } from "./docker.ts";
import { createDockerExecutor } from "./docker.ts";
import type { Run } from "./executor.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

const engine = await findTestEngine();
const noDockerd = whyNoDockerd();

function setup(host: string, options: Partial<DockerExecutorOptions> = {}) {
  const taskBase = temporaryFolder();
  const holder = `test-${taskBase.slice(-6)}`;
  const executor = createDockerExecutor({ holder, epoch: () => "1", taskBase, host, ...options });
  const logs = collectLogs();
  const start = (script: string) =>
    executor.start(requestOf({ image: testImage, command: ["sh", "-c", script] }), logs);
  const says = (text: string) =>
    vi.waitFor(() => expect(logs.text("stdout")).toContain(text), { timeout: 10_000, interval: 20 });
  const count = async () =>
    "docker" in engine
      ? (await engine.docker.listContainers({ all: true, filters: { label: [`drover.holder=${holder}`] } })).length
      : 0;
  const folderOf = (run: Run) => join(taskBase, "default", `task-1-${run.fence}`);
  return { executor, logs, start, says, count, holder, folderOf };
}

/** Treats the first call that matches, and passes everything else. */
function first(pattern: RegExp, treatment: Treatment): (call: string) => Treatment {
  let isDone = false;
  return (call) => {
    if (isDone || !pattern.test(call)) return "pass";
    isDone = true;
    return treatment;
  };
}

describe.skipIf(engine.missing !== undefined)(`an engine whose replies are lost ${engine.missing ?? ""}`, () => {
  const socket = engine.host.replace("unix://", "");

  it.each([
    ["create", /^POST \/containers\/create/],
    ["start", /^POST \/containers\/[0-9a-f]+\/start/],
    ["inspection", /^GET \/containers\/[^/]+\/json/],
    ["wait", /^POST \/containers\/[^/]+\/wait/],
    ["log", /^GET \/containers\/[^/]+\/logs/],
    ["removal", /^DELETE \/containers/],
  ])("carries a task to its end once, though the reply to the %s is lost", async (_, pattern) => {
    await using proxy = await startEngineProxy(socket, first(pattern, "lose-reply"));
    const { start, count, logs } = setup(proxy.host);
    const outcome = await start("echo run >> runs; cat runs; hostname >&2").outcome;
    expect(outcome).toMatchObject({ state: "completed", result: { stdoutTail: "run\n" } });
    expect(logs.text("stdout")).toBe("run\n");
    expect(await count()).toBe(0);
  });

  it("leaves nothing where it is stopped while the reply to the create is lost", async () => {
    let stop = (): void => undefined;
    const lose = first(/^POST \/containers\/create/, "lose-reply");
    await using proxy = await startEngineProxy(socket, (call) => {
      const treatment = lose(call);
      if (treatment === "lose-reply") stop();
      return treatment;
    });
    const { start, count } = setup(proxy.host);
    const run = start("echo run");
    const stopped = new Promise((resolve) => {
      stop = () => resolve(run.stop("cancelled"));
    });
    expect(await stopped).toEqual({ gone: true });
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled" });
    expect(proxy.calls.filter((call) => call.startsWith("DELETE"))).toHaveLength(1);
    expect(await count()).toBe(0);
  });

  it("waits no longer than its bound for a call that hangs", async () => {
    await using proxy = await startEngineProxy(socket, first(/^POST \/containers\/create/, "hang"));
    const { start } = setup(proxy.host, { callTimeoutSeconds: 0.3 });
    expect(await start("echo run").outcome).toMatchObject({ state: "completed", result: { stdoutTail: "run\n" } });
  });

  it("gives up on an engine that never comes, and says that it may have left something", async () => {
    const { start } = setup("unix:///tmp/drover-no-such.sock", { engineTimeoutSeconds: 0.5 });
    const run = start("true");
    expect(await run.outcome).toMatchObject({ state: "failed", errorClass: "engine_unavailable" });
    expect(await run.stop("cancelled")).toEqual({ gone: false });
  });

  it("does not take a container for gone while the engine does not answer", async () => {
    let isAway = false;
    await using proxy = await startEngineProxy(socket, () => (isAway ? "hang" : "pass"));
    const { start, says, count } = setup(proxy.host, { callTimeoutSeconds: 0.2, stopGraceSeconds: 0.2 });
    const run = start("trap '' TERM; echo up; while :; do sleep 0.1; done");
    await says("up");
    isAway = true;
    const stopped = run.stop("lease_lost");
    const callsBefore = proxy.calls.length;
    await vi.waitFor(() => expect(proxy.calls.length).toBeGreaterThan(callsBefore + 4), { timeout: 10_000 });
    expect(await Promise.race([stopped, Promise.resolve("still trying")])).toBe("still trying");
    expect(await count()).toBe(1);
    isAway = false;
    expect(await stopped).toEqual({ gone: true });
    expect(await run.outcome).toMatchObject({ errorClass: "lease_lost" });
    expect(await count()).toBe(0);
  });
});

describe.skipIf(noDockerd !== undefined)(`an engine that is killed ${noDockerd ?? ""}`, () => {
  it("is waited for; then the container's true end counts, and what the engine ended is no fault of the task", async () => {
    await using dockerd = await startDockerd();
    const { start, says, logs, folderOf } = setup(dockerd.host);
    const finishing = start("echo first; until [ -e go ]; do sleep 0.1; done; echo second; touch done; exit 3");
    const running = start("echo third; sleep 600");
    await says("first");
    await says("third");
    await dockerd.kill("SIGKILL");
    writeFileSync(join(folderOf(finishing), "go"), "");
    await vi.waitFor(() => expect(existsSync(join(folderOf(finishing), "done"))).toBe(true), { timeout: 10_000 });
    expect(await Promise.race([running.outcome, finishing.outcome, Promise.resolve("waiting")])).toBe("waiting");
    await dockerd.start();
    expect(await running.outcome).toMatchObject({
      state: "failed",
      errorClass: "engine_unavailable",
      result: { stdoutTail: "third\n" },
    });
    expect(await finishing.outcome).toMatchObject({
      state: "failed",
      errorClass: "exit_nonzero",
      result: { exitCode: 3 },
    });
    expect(logs.text("stdout").match(/first/g)).toHaveLength(1);
    expect(await start("echo again").outcome).toMatchObject({ state: "completed" });
  }, 60_000);

  it("is no fault of the task either when it is shut down in order", async () => {
    await using dockerd = await startDockerd();
    const { start, says } = setup(dockerd.host);
    const run = start("echo up; sleep 600");
    await says("up");
    await dockerd.kill("SIGTERM");
    // What is tried is an engine that stays away: for several of the run's looks, which come every 250 ms.
    await delay(2000);
    await dockerd.start();
    expect(await run.outcome).toMatchObject({
      state: "failed",
      errorClass: "engine_unavailable",
      result: { exitCode: 143 },
    });
  }, 60_000);

  it("is given up after the bound", async () => {
    await using dockerd = await startDockerd();
    const { start, says } = setup(dockerd.host, { engineTimeoutSeconds: 1 });
    const run = start("echo up; sleep 600");
    await says("up");
    await dockerd.kill("SIGKILL");
    expect(await run.outcome).toMatchObject({ state: "failed", errorClass: "engine_unavailable" });
    expect(await run.stop("cancelled")).toEqual({ gone: false });
    await dockerd.start();
  }, 60_000);
});
