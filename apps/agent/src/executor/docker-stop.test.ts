import { describe, expect, it, vi } from "vitest";
import { findTestEngine, testImage } from "../docker/testing.ts";
import type { DockerExecutorOptions } from "./docker.ts";
import { createDockerExecutor } from "./docker.ts";
import type { Run, StopReason } from "./executor.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

const engine = await findTestEngine();

function setup(options: Partial<DockerExecutorOptions> = {}) {
  const taskBase = temporaryFolder();
  const holder = `test-${taskBase.slice(-6)}`;
  const executor = createDockerExecutor({ holder, epoch: () => "1", taskBase, host: engine.host, ...options });
  const containers = async (all = true) =>
    "docker" in engine ? engine.docker.listContainers({ all, filters: { label: [`drover.holder=${holder}`] } }) : [];
  const start = (script: string, timeoutSeconds = 60): { run: Run; logs: ReturnType<typeof collectLogs> } => {
    const logs = collectLogs();
    const request = requestOf({ image: testImage, command: ["sh", "-c", script] }, { timeoutSeconds });
    return { run: executor.start(request, logs), logs };
  };
  const started = (logs: ReturnType<typeof collectLogs>) =>
    vi.waitFor(() => expect(logs.text("stdout")).toContain("up"), { timeout: 10_000, interval: 20 });
  return { start, started, containers };
}

describe.skipIf(engine.missing !== undefined)(`stopping a container ${engine.missing ?? ""}`, () => {
  it.each<StopReason>(["cancelled", "lease_lost", "drained"])("ends a polite task at once when %s", async (reason) => {
    const { start, started, containers } = setup();
    const { run, logs } = start("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done");
    await started(logs);
    const before = performance.now();
    expect(await run.stop(reason)).toEqual({ gone: true });
    expect(performance.now() - before).toBeLessThan(3000);
    expect(await run.outcome).toMatchObject({
      state: "failed",
      errorClass: reason,
      result: { stdoutTail: "up\nbye\n" },
    });
    expect(await containers()).toEqual([]);
  });

  it("kills a task that ignores the signal, within the grace plus two seconds", async () => {
    const { start, started, containers } = setup({ stopGraceSeconds: 1 });
    const { run, logs } = start("trap '' TERM; echo up; while :; do sleep 0.1; done");
    await started(logs);
    const before = performance.now();
    await run.stop("cancelled");
    expect(performance.now() - before).toBeGreaterThan(950);
    expect(performance.now() - before).toBeLessThan(3000);
    expect(await containers(false)).toEqual([]);
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled", result: { exitCode: 137 } });
    expect(await containers()).toEqual([]);
  });

  it("ends a task at its time limit", async () => {
    const { start } = setup({ stopGraceSeconds: 1 });
    const outcome = await start("echo up; sleep 30", 1).run.outcome;
    expect(outcome).toMatchObject({
      errorClass: "timeout",
      message: "task task-1 timed out after 1 seconds",
      result: { stdoutTail: "up\n" },
    });
  });

  it("starts nothing when it is stopped before the start", async () => {
    const { start, containers } = setup();
    const { run } = start("sleep 30");
    expect(await run.stop("cancelled")).toEqual({ gone: true });
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled" });
    expect(await containers()).toEqual([]);
  });

  it("keeps the first of two reasons, and the natural end of a task that was faster", async () => {
    const { start, started } = setup();
    const first = start("echo up; sleep 30");
    await started(first.logs);
    await Promise.all([first.run.stop("lease_lost"), first.run.stop("cancelled")]);
    expect(await first.run.outcome).toMatchObject({ errorClass: "lease_lost" });
    const second = start("echo up");
    await second.run.outcome;
    await second.run.stop("cancelled");
    expect(await second.run.outcome).toMatchObject({ state: "completed" });
  });
});
