import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createApi, type TaskAnswer } from "./api.ts";
import { commandsToTry } from "./dev.ts";
import { findStarted } from "./leftover.ts";
import { processesOf, startScript } from "./testing.ts";

function setup() {
  const folder = mkdtempSync(join(tmpdir(), "drover-dev-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const start = async () => {
    const env = { DROVER_AGENT_LISTEN: "127.0.0.1:0", DROVER_AGENT_DOCKER: "false" };
    const dev = startScript("dev", ["--data", folder, "--listen", "127.0.0.1:0"], env);
    const [, address = ""] = await dev.untilSaid(/API +(http:\S+)[\s\S]+Ctrl-C stops everything/);
    return { dev, call: createApi({ address, signal: AbortSignal.timeout(20_000) }) };
  };
  return { folder, start };
}

const task = (id: string, ...command: string[]) => ({
  task: { id, execution: { executor: "EXECUTOR_PROCESS", command } },
});

describe("scripts/dev", { timeout: 60_000 }, () => {
  it("after a kill of everything takes up the data and the work, and stops cleanly when asked", async () => {
    const { folder, start } = setup();
    const first = await start();
    await first.call("TaskService/SubmitTask", task("long", "sleep", "60"));
    const stateOf = async ({ call }: typeof first) =>
      (await call<{ task: TaskAnswer }>("TaskService/GetTask", { id: "long" })).task;
    await expect
      .poll(() => stateOf(first), { timeout: 5000 })
      .toMatchObject({ state: "TASK_STATE_RUNNING", attempt: 1 });

    first.dev.child.kill("SIGKILL");
    for (const { pid } of findStarted(folder)) process.kill(pid, "SIGKILL");
    expect(await first.dev.ended).toBe("SIGKILL");
    const orphans = processesOf(folder);
    expect(orphans.join()).toContain("postgres");

    const second = await start();
    await expect
      .poll(() => stateOf(second), { timeout: 10_000 })
      .toMatchObject({ state: "TASK_STATE_RUNNING", attempt: 2 });
    const third = startScript("dev", ["--data", folder], {});
    expect(await third.ended).toBe(1);
    expect(third.said()).toContain(`Drover runs in ${folder} already, started by process ${second.dev.child.pid}.`);

    second.dev.child.kill("SIGINT");
    expect(await second.dev.ended).toBe(0);
    expect(second.dev.said()).toContain(`Stopped. The data stays in ${folder}.`);
    expect(processesOf(folder)).toEqual([]);
  });

  it("ends with a sentence when one of its programs ends", async () => {
    const { folder, start } = setup();
    const { dev } = await start();
    const agent = findStarted(folder).find(({ name }) => name === "agent");
    process.kill(agent?.pid ?? 0, "SIGKILL");
    expect(await dev.ended).toBe(1);
    expect(dev.said()).toContain("The agent ended (signal SIGKILL)");
    expect(processesOf(folder)).toEqual([]);
  });

  it("prints commands that name another address where it is not the default one", () => {
    expect(commandsToTry("http://127.0.0.1:1")[1]).toContain("--address http://127.0.0.1:1");
    expect(commandsToTry("http://127.0.0.1:9097")[1]).not.toContain("--address");
  });
});
