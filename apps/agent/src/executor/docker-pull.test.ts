import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startTestRegistry } from "../docker/testing-registry.ts";
import { findTestEngine } from "../docker/testing.ts";
import type { DockerExecutorOptions } from "./docker.ts";
import { createDockerExecutor } from "./docker.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

const engine = await findTestEngine();

function setup(options: Partial<DockerExecutorOptions> = {}) {
  const taskBase = temporaryFolder();
  const executor = createDockerExecutor({
    holder: `test-${taskBase.slice(-6)}`,
    epoch: () => "1",
    taskBase,
    host: engine.host,
    ...options,
  });
  const start = (image: string) => {
    const logs = collectLogs();
    onTestFinished(async () => {
      if ("docker" in engine)
        await engine.docker
          .getImage(image)
          .remove({ force: true })
          .catch(() => undefined);
    });
    return { logs, run: executor.start(requestOf({ image, command: ["echo", "pulled"] }), logs) };
  };
  return { start };
}

describe.skipIf(engine.missing !== undefined)(`pulling images ${engine.missing ?? ""}`, () => {
  it("pulls a missing image once for all who wait for it, tells its progress, and not again", async () => {
    await using registry = await startTestRegistry({ isHeld: true });
    const { start } = setup();
    const image = `${registry.address}/some/image`;
    const all = [start(image), start(image), start(`${image}:latest`)];
    await vi.waitFor(() => all.forEach(({ logs }) => expect(logs.text("system")).toMatch(/Pulling .* of .* MB/)), {
      timeout: 10_000,
    });
    registry.release();
    for (const { run } of all)
      expect(await run.outcome).toMatchObject({ state: "completed", result: { stdoutTail: "pulled\n" } });
    expect(registry.manifests).toHaveLength(1);
    expect(await start(image).run.outcome).toMatchObject({ state: "completed" });
    expect(registry.manifests).toHaveLength(1);
  });

  it("goes on for the others when one of two who wait is stopped, and ends with the last", async () => {
    await using registry = await startTestRegistry({ isHeld: true });
    const { start } = setup();
    const image = `${registry.address}/image:1`;
    const [stopped, waiting] = [start(image), start(image)];
    await vi.waitFor(() => expect(waiting.logs.text("system")).toContain("MB"), { timeout: 10_000 });
    expect(await stopped.run.stop("cancelled")).toEqual({ gone: true });
    expect(await stopped.run.outcome).toMatchObject({ errorClass: "cancelled" });
    registry.release();
    expect(await waiting.run.outcome).toMatchObject({ state: "completed" });
  });

  it("gives up a pull that makes no progress", async () => {
    await using registry = await startTestRegistry({ isHeld: true });
    const { start } = setup({ pullProgressTimeoutSeconds: 0.7 });
    const outcome = await start(`${registry.address}/image:2`).run.outcome;
    expect(outcome).toMatchObject({
      errorClass: "image_unavailable",
      message: expect.stringContaining("no progress for 0.7 s"),
    });
  });

  it("says which image a registry does not have, and that a registry cannot be reached", async () => {
    await using registry = await startTestRegistry();
    const { start } = setup();
    const absent = await start(`${registry.address}/absent:1`).run.outcome;
    expect(absent).toMatchObject({ errorClass: "image_unavailable", message: expect.stringContaining("absent:1") });
    const unreachable = await start("127.0.0.1:9/image:1").run.outcome;
    expect(unreachable).toMatchObject({ errorClass: "image_unavailable" });
  });
});
