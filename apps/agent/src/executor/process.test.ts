import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Execution } from "@drover/domain/execution";
import type { RunRequest } from "./executor.ts";
import { claimKey } from "./executor.ts";
import type { ProcessExecutorOptions } from "./process.ts";
import { createProcessExecutor } from "./process.ts";
import { findMarked } from "./process-table.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

function setup(options: Partial<ProcessExecutorOptions> = {}) {
  const taskBase = temporaryFolder();
  const holder = `test-${taskBase.slice(-6)}`;
  const executor = createProcessExecutor({ enabled: true, holder, taskBase, ...options });
  const logs = collectLogs();
  const start = (execution: Partial<Execution>, rest: Partial<RunRequest> = {}) =>
    executor.start(requestOf(execution, rest), logs);
  const upCount = (count: number) =>
    vi.waitFor(() => expect(logs.text("stdout").match(/up/g)).toHaveLength(count), { timeout: 5000, interval: 20 });
  return { executor, holder, taskBase, logs, start, upCount };
}

const sh = (script: string): string[] => ["sh", "-c", script];

describe("process executor", () => {
  it("runs a command on its payload and brings back result, outputs and logs", async () => {
    const { start, logs, taskBase } = setup();
    const run = start({
      command: sh('cat "$DROVER_PAYLOAD_PATH" > copy.json; echo out; echo err >&2; echo "__DSPY_RESULT__: [1]"; pwd'),
      artifacts: { outputs: [{ path: "copy.json" }, { path: "absent" }] },
    });
    const outcome = await run.outcome;
    const folder = join(taskBase, "default", `task-1-${run.fence}`);
    expect(outcome).toMatchObject({
      state: "completed",
      result: {
        exitCode: 0,
        outputs: [{ path: "copy.json", sizeBytes: 7 }],
        outputsSummary: { "copy.json": { n: 1 } },
        runnerOutput: [1],
        stdoutTail: `out\n__DSPY_RESULT__: [1]\n${folder}\n`,
        stderrTail: "err\n",
        workingDir: folder,
      },
    });
    expect(logs.text("system")).toContain("absent: the task did not leave it");
  });

  it("gives the task a clean environment", async () => {
    vi.stubEnv("SECRET_OF_THE_AGENT", "x");
    onTestFinished(() => void vi.unstubAllEnvs());
    const { start, holder } = setup();
    const run = start({ command: ["env"], env: { MINE: "1", DROVER_RUN: "forged" } });
    const outcome = await run.outcome;
    const lines = (outcome.state === "completed" ? outcome.result.stdoutTail : "").trim().split("\n");
    const names = lines.map((line) => line.slice(0, line.indexOf("="))).toSorted();
    expect(names).toEqual(
      [
        "DROVER_ATTEMPT",
        "DROVER_HOLDER",
        "DROVER_INSTALLATION",
        "DROVER_PAYLOAD_PATH",
        "DROVER_RUN",
        "DROVER_TASK_ID",
        "DSPY_TASK_BASE",
      ].concat(["HOME", "LANG", "MINE", "PATH", "TMPDIR"]),
    );
    expect(lines).toContain(`DROVER_RUN=${claimKey(run)}`);
    expect(lines).toContain(`DROVER_HOLDER=${holder}`);
  });

  it("names what a failing command said, and the signal that ended one", async () => {
    const { start } = setup();
    const failing = await start({ command: sh("echo broken >&2; exit 4") }).outcome;
    expect(failing).toMatchObject({ errorClass: "exit_nonzero", message: "The command exited with code 4: broken" });
    const killed = await start({ command: sh("kill -SEGV $$") }).outcome;
    expect(killed).toMatchObject({ errorClass: "exit_nonzero", message: "The command was ended by SIGSEGV." });
  });

  it("takes words for words: without a shell nothing expands", async () => {
    const { start } = setup();
    const outcome = await start({ command: ["echo", "$HOME; *"] }).outcome;
    expect(outcome).toMatchObject({ result: { stdoutTail: "$HOME; *\n" } });
  });

  it("says when a command does not exist, and when processes are switched off", async () => {
    expect(await setup().start({ command: ["no-such-program"] }).outcome).toMatchObject({
      errorClass: "start_failed",
      message: expect.stringContaining("no-such-program"),
    });
    const off = setup({ enabled: false });
    expect(await off.start({}).outcome).toMatchObject({ errorClass: "invalid_execution" });
    expect(await off.executor.probe()).toMatchObject({ ready: false });
    expect(await setup().start({ mounts: [{ hostPath: "/", mountPath: "/x" }] }).outcome).toMatchObject({
      errorClass: "mount_refused",
    });
  });

  it.each([
    ["/usr/bin:/bin", "prlimit"],
    [undefined, "ulimit"],
  ])("limits memory, file size and core files (%s, %s)", async (path, kind) => {
    // A path without prlimit: one that holds only a shell and what the test calls.
    const { executor, start } = setup({ path: path ?? shellOnlyPath() });
    const resources = { memoryBytes: 100_000_000, storageGb: 0.000001, pids: 400 };
    const script = 'cat /proc/self/limits; head -c 5000 /dev/zero > big; tail /dev/zero; echo "$?"';
    const outcome = await start({ command: sh(script), resources }).outcome;
    const text = "result" in outcome ? (outcome.result?.stdoutTail ?? "") : "";
    expect(text).toMatch(/Max core file size\s+0 /);
    expect(text).toMatch(/Max address space\s+(100000000|99999744) /);
    expect(text).toMatch(/Max file size\s+(1000|1024) /);
    expect(text).toMatch(/Max processes\s+400 /);
    expect(text).toMatch(/\n[1-9]\d*\n$/);
    expect(await executor.probe()).toMatchObject({ facts: { limits: expect.stringContaining(`by ${kind}`) } });
  });

  it("ends a polite task at once and a stubborn one after the grace, with its whole group", async () => {
    const { start, upCount, holder } = setup({ stopGraceSeconds: 0.5 });
    const polite = start({ command: sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done") });
    await upCount(1);
    expect(await polite.stop("drained")).toEqual({ gone: true });
    expect(await polite.outcome).toMatchObject({ errorClass: "drained", result: { stdoutTail: "up\nbye\n" } });

    const stubborn = start({
      command: sh("trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo up; while :; do sleep 0.05; done"),
    });
    await upCount(2);
    const before = performance.now();
    expect(await stubborn.stop("lease_lost")).toEqual({ gone: true });
    expect(performance.now() - before).toBeLessThan(2500);
    expect(await stubborn.outcome).toMatchObject({ errorClass: "lease_lost", result: { exitCode: null } });
    expect(findMarked({ holder })).toEqual([]);
  });

  it("ends a task at its time limit", async () => {
    const { start } = setup();
    const outcome = await start({ command: ["sleep", "30"] }, { timeoutSeconds: 0.2 }).outcome;
    expect(outcome).toMatchObject({
      errorClass: "timeout",
      message: expect.stringContaining("timed out after 0.2 seconds"),
    });
  });

  it("finds and kills a child that left the group", async () => {
    const { start, holder, upCount, logs } = setup({ stopGraceSeconds: 0.2 });
    const run = start({
      command: sh("setsid sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.05; done' & echo up; sleep 30"),
    });
    await upCount(2);
    expect(await run.stop("cancelled")).toEqual({ gone: true });
    expect(findMarked({ holder })).toEqual([]);

    const leaving = start({ command: sh("setsid sleep 30 & sleep 30 & echo up") });
    expect(await leaving.outcome).toMatchObject({ state: "completed", result: { stdoutTail: "up\n" } });
    expect(findMarked({ holder })).toEqual([]);
    expect(logs.text("system")).toContain("left processes behind");
  });

  it("starts nothing when it is stopped before the start", async () => {
    const { start, taskBase } = setup();
    const run = start({ command: sh("touch ran") });
    await run.stop("cancelled");
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled" });
    expect(existsSync(join(taskBase, "default", `task-1-${run.fence}`, "ran"))).toBe(false);
  });

  it.skipIf(userInfo().uid !== 0)("runs as the configured user, who owns the working directory", async () => {
    const { start } = setup({ owner: { uid: 1234, gid: 1235 } });
    const outcome = await start({
      command: sh("id -u; id -g; cat $DROVER_PAYLOAD_PATH; echo mine > mine; touch $TMPDIR/x"),
    }).outcome;
    expect(outcome).toMatchObject({ state: "completed", result: { stdoutTail: '1234\n1235\n{"n":1}' } });
    const folder = outcome.state === "completed" ? outcome.result.workingDir : "";
    expect(readFileSync(join(folder, "mine"), "utf8")).toBe("mine\n");
  });

  it("clears what a killed agent left, once no claim names it", async () => {
    const { executor, holder, taskBase } = setup();
    const request = requestOf({ command: sh("setsid sleep 60 & sleep 60") });
    await leaveBehind({ holder, taskBase, request });
    expect(findMarked({ holder })).toHaveLength(3);
    expect(await executor.sweep(new Set([claimKey(request)]))).toEqual({ removed: [] });
    expect(findMarked({ holder })).toHaveLength(3);
    expect(await setup({ holder: "other" }).executor.sweep(new Set())).toEqual({ removed: [] });
    expect(await executor.sweep(new Set())).toEqual({ removed: [claimKey(request)] });
    expect(findMarked({ holder })).toEqual([]);
  });

  it("leaves alone what an agent of another installation left under the same name", async () => {
    const { executor, holder, taskBase } = setup({ installation: () => "one" });
    const request = requestOf({ command: ["sleep", "60"] });
    await leaveBehind({ holder, taskBase, request, installation: "two" });
    const { taskKey, fence } = request;
    expect(await executor.sweep(new Set())).toEqual({ removed: [] });
    expect(await executor.adopt([{ taskKey, fence, request }], collectLogs)).toEqual([]);
    const theirs = setup({ holder, installation: () => "two" }).executor;
    expect(await theirs.sweep(new Set())).toEqual({ removed: [claimKey(request)] });
  });

  it("adopts nothing, and ends what still runs for a held claim", async () => {
    const { executor, holder, taskBase, logs } = setup();
    const request = requestOf({ command: ["sleep", "60"] });
    await leaveBehind({ holder, taskBase, request });
    const { taskKey, fence } = request;
    expect(await executor.adopt([{ taskKey, fence, request }], () => logs)).toEqual([]);
    expect(findMarked({ holder })).toEqual([]);
  });

  it("never sweeps its own runs", async () => {
    const { executor, start, upCount } = setup();
    const run = start({ command: sh("echo up; sleep 30") });
    await upCount(1);
    expect(await executor.sweep(new Set())).toEqual({ removed: [] });
    await run.stop("cancelled");
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled" });
  });
});

function shellOnlyPath(): string {
  const folder = temporaryFolder();
  for (const name of ["sh", "cat", "head", "tail"]) symlinkSync(`/bin/${name}`, join(folder, name));
  return folder;
}

// An agent in a process of its own that starts a task and is then killed.
async function leaveBehind(facts: {
  holder: string;
  taskBase: string;
  request: RunRequest;
  installation?: string;
}): Promise<void> {
  const script = `
    import { createProcessExecutor } from ${JSON.stringify(fileURLToPath(new URL("process.ts", import.meta.url)))};
    const { holder, taskBase, request, installation } = ${JSON.stringify(facts)};
    createProcessExecutor({ enabled: true, holder, taskBase, installation: () => installation }).start(request, { write() {} });
    setInterval(() => {}, 1000);`;
  const agent = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
  const count = facts.request.execution.command.length > 2 ? 3 : 1;
  await vi.waitFor(() => expect(findMarked(facts)).toHaveLength(count), {
    timeout: 10_000,
    interval: 50,
  });
  agent.kill("SIGKILL");
  await once(agent, "exit");
}
