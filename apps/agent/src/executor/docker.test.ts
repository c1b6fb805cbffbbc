import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Execution } from "@drover/domain/execution";
import { findTestEngine, testImage } from "../docker/testing.ts";
import { containerName } from "../docker/spec.ts";
import type { DockerExecutorOptions } from "./docker.ts";
import { createDockerExecutor } from "./docker.ts";
import type { RunOutcome, RunRequest } from "./executor.ts";
import { collectLogs, requestOf, temporaryFolder } from "./testing.ts";

const engine = await findTestEngine();

function setup(options: Partial<DockerExecutorOptions> = {}) {
  const taskBase = temporaryFolder();
  const holder = `test-${taskBase.slice(-6)}`;
  const executor = createDockerExecutor({ holder, epoch: () => "7", taskBase, host: engine.host, ...options });
  const logs = collectLogs();
  const run = (execution: Partial<Execution>, rest: Partial<RunRequest> = {}): Promise<RunOutcome> =>
    executor.start(requestOf({ image: testImage, ...execution }, rest), logs).outcome;
  return { executor, holder, taskBase, logs, run };
}

const sh = (script: string): string[] => ["sh", "-c", script];

function failureOf(outcome: RunOutcome): { errorClass: string; message: string } {
  return outcome.state === "failed" ? outcome : { errorClass: "none", message: JSON.stringify(outcome) };
}

describe.skipIf(engine.missing !== undefined)(`docker executor ${engine.missing ?? ""}`, () => {
  it("runs a command on its payload and brings back result, outputs and logs", async () => {
    const { run, logs, taskBase } = setup();
    const outcome = await run(
      {
        command: sh(
          'cat "$DROVER_PAYLOAD_PATH" > copy.json; echo some >text.txt; echo out; echo err >&2; ' +
            'echo "__DSPY_RESULT__:{\\"score\\": 0.5}"; echo "$DROVER_TASK_ID/$DROVER_ATTEMPT/$DSPY_TASK_BASE"; pwd',
        ),
        artifacts: {
          outputs: [{ path: "copy.json", name: "copy" }, { path: "/workspace/text.txt" }, { path: "none.txt" }],
        },
      },
      { payload: { deep: ["ü", 1] }, attempt: 3 },
    );
    expect(outcome).toMatchObject({
      state: "completed",
      result: {
        exitCode: 0,
        outputs: [
          { path: "copy.json", name: "copy" },
          { path: "/workspace/text.txt", sizeBytes: 5 },
        ],
        outputsSummary: { "copy.json": { deep: ["ü", 1] } },
        runnerOutput: { score: 0.5 },
        stderrTail: "err\n",
      },
    });
    const result = outcome.state === "completed" ? outcome.result : undefined;
    expect(result?.outputs[1]?.checksum).toBe(`sha256:${createHash("sha256").update("some\n").digest("hex")}`);
    expect(result?.workingDir).toContain(`${taskBase}/default/task-1-`);
    expect(logs.text("stdout")).toContain("task-1/3//workspace\n/workspace\n");
    expect(logs.text("stderr")).toBe("err\n");
    expect(logs.text("system")).toContain("none.txt");
    expect(Math.abs(Date.now() - (logs.entries[0]?.at.getTime() ?? 0))).toBeLessThan(20_000);
  });

  it("names the exit code and the last line of stderr of a command that fails", async () => {
    const { run } = setup();
    const outcome = await run({ command: sh("echo first >&2; echo no such model >&2; exit 3") });
    expect(outcome).toMatchObject({
      state: "failed",
      errorClass: "exit_nonzero",
      message: "The command exited with code 3: no such model",
      result: { exitCode: 3 },
    });
  });

  it("keeps the last 4096 bytes of a long output and passes on all of it", async () => {
    const { run, logs } = setup();
    const outcome = await run({ command: sh("i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done") });
    const tail = outcome.state === "completed" ? outcome.result.stdoutTail : "";
    expect(Buffer.byteLength(tail)).toBe(4096);
    expect(tail).toMatch(/line-2998\nline-2999\n$/);
    expect(logs.text("stdout").split("\n")).toHaveLength(3001);
  });

  it("keeps characters whole where the engine cuts a very long line", async () => {
    const { run, logs } = setup();
    await run({ command: sh("i=0; while [ $i -lt 20000 ]; do printf 'aü'; i=$((i+1)); done") });
    expect(logs.text("stdout") === "aü".repeat(20_000)).toBe(true);
  });

  it("passes on each line once where both streams are busy", async () => {
    const { run, logs } = setup();
    await run({ command: sh("i=0; while [ $i -lt 2000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done") });
    const wanted = (letter: string) => Array.from({ length: 2000 }, (_, index) => `${letter}${index}\n`).join("");
    expect(logs.text("stdout") === wanted("o")).toBe(true);
    expect(logs.text("stderr") === wanted("e")).toBe(true);
  });

  it("takes every right from the container that the task does not need", async () => {
    const { run } = setup();
    const outcome = await run({
      command: sh(
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ls /sys/class/net; ulimit -c; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; cat /proc/1/comm; tty",
      ),
    });
    const text = "result" in outcome ? outcome.result?.stdoutTail : "";
    expect(text).toMatch(/CapBnd:\s+0000000000000000\n/);
    expect(text).toMatch(/CapEff:\s+0000000000000000\n/);
    expect(text).toMatch(/NoNewPrivs:\s+1\n/);
    expect(text).toMatch(/\nlo\n0\n512\n(docker-init|tini)\nnot a tty/);
  });

  it("limits memory without swap and says so when it is used up", async () => {
    const { run } = setup();
    const outcome = await run({ command: ["tail", "/dev/zero"], resources: { memoryBytes: 16 * 1024 * 1024 } });
    expect(failureOf(outcome)).toMatchObject({ errorClass: "oom_killed" });
    expect(failureOf(outcome).message).toContain("16777216 bytes");
  });

  it("limits processors and processes as asked", async () => {
    const { run } = setup();
    const outcome = await run({
      command: sh(
        "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max 2>/dev/null; true",
      ),
      resources: { cpuMillicores: 500, pids: 33 },
    });
    const text = outcome.state === "completed" ? outcome.result.stdoutTail : "";
    expect(text.replaceAll(/\s+/g, " ")).toBe("50000 100000 33 ");
  });

  it("makes the root read-only when asked, with a place for temporary files", async () => {
    const { run } = setup();
    const outcome = await run({ command: sh("touch /tmp/a /workspace/b && ! touch /c"), readOnlyRoot: true });
    expect(outcome.state).toBe("completed");
  });

  it("runs as the configured user, who can write to the working directory", async () => {
    const { run, taskBase } = setup({ user: "1234:1235" });
    const request = { taskId: "as-user" };
    const outcome = await run({ command: sh('id -u; id -g; cat "$DROVER_PAYLOAD_PATH"; echo mine > mine') }, request);
    expect(outcome).toMatchObject({ state: "completed", result: { stdoutTail: '1234\n1235\n{"n":1}' } });
    const workingDir = outcome.state === "completed" ? outcome.result.workingDir : "";
    expect(readFileSync(join(workingDir, "mine"), "utf8")).toBe("mine\n");
    expect(workingDir.startsWith(taskBase)).toBe(true);
  });

  it("mounts below the allowed paths and refuses links that lead out, the folders of tasks, and what is missing", async () => {
    const allowed = temporaryFolder();
    const { run, taskBase } = setup({ allowedHostPaths: [allowed, "/tmp/drover-nothing"] });
    mkdirSync(join(allowed, "in"));
    writeFileSync(join(allowed, "in/x"), "x");
    symlinkSync("/etc", join(allowed, "out"));
    symlinkSync(join(allowed, "in"), join(allowed, "alias"));
    const mount = (hostPath: string): Promise<RunOutcome> =>
      run({ command: sh("cat /data/x; ! touch /data/y"), mounts: [{ hostPath, mountPath: "/data", readOnly: true }] });
    expect(await mount(join(allowed, "alias"))).toMatchObject({ state: "completed", result: { stdoutTail: "x" } });
    for (const path of [
      join(allowed, "out"),
      `${allowed}/../`,
      "/etc",
      "relative",
      join(allowed, "absent"),
      taskBase,
    ]) {
      expect(failureOf(await mount(path)).errorClass, path).toBe("mount_refused");
    }
  });

  it("refuses the folders of tasks even where an allowed path holds them", async () => {
    const { run, taskBase } = setup({ allowedHostPaths: ["/"] });
    const outcome = await run({ mounts: [{ hostPath: join(taskBase, ".."), mountPath: "/data" }] });
    expect(failureOf(outcome)).toMatchObject({
      errorClass: "mount_refused",
      message: expect.stringContaining("other tasks"),
    });
  });

  it("does not follow an output that the task replaced by a link", async () => {
    const { run, logs } = setup();
    const outcome = await run({
      command: sh("ln -s /etc/hostname stolen.txt; ln -s / root; mkfifo pipe; echo 1 > kept.json"),
      artifacts: {
        outputs: [{ path: "stolen.txt" }, { path: "root/etc/hostname" }, { path: "pipe" }, { path: "kept.json" }],
      },
    });
    expect(outcome).toMatchObject({
      state: "completed",
      result: { outputs: [{ path: "kept.json" }], outputsSummary: { "kept.json": 1 } },
    });
    expect(logs.text("system").match(/refused/g)).toHaveLength(3);
  });

  it.each<[string, Partial<Execution>]>([
    ["no command", { command: [] }],
    ["an output outside", { artifacts: { outputs: [{ path: "../../etc/passwd" }] } }],
    ["an image that is no name", { image: "../containers/x?force=1" }],
    ["a network that is not allowed", { network: "host" }],
    ["a mount over the system", { mounts: [{ hostPath: "/tmp", mountPath: "/proc/x" }] }],
    ["no limit of processes", { resources: { pids: -1 } }],
    ["less memory than an engine can give", { resources: { memoryBytes: 4096 } }],
  ])("calls an execution with %s invalid", async (_, execution) => {
    const { run } = setup({ allowedHostPaths: ["/tmp"] });
    const outcome = failureOf(await run(execution));
    expect(outcome.errorClass).toBe("invalid_execution");
    expect(outcome.message.length).toBeGreaterThan(20);
  });

  it("asks the engine for GPUs and says that this host has none", async () => {
    const { run } = setup();
    const outcome = failureOf(await run({ resources: { gpuCount: 1 } }));
    expect(outcome).toMatchObject({ errorClass: "start_failed", message: expect.stringContaining("GPUs") });
  });

  it("leaves neither container nor name behind, however the run ends", async () => {
    const { executor, logs, holder } = setup();
    for (const execution of [{ command: ["true"] }, { command: ["false"] }, { resources: { gpuCount: 1 } }]) {
      const request = requestOf({ image: testImage, ...execution });
      await executor.start(request, logs).outcome;
      const list =
        "docker" in engine
          ? await engine.docker.listContainers({ all: true, filters: { label: [`drover.holder=${holder}`] } })
          : [];
      expect(list, containerName(request)).toEqual([]);
    }
  });

  it("starts an attempt once, also where it is asked twice", async () => {
    const { executor, logs } = setup();
    const request = requestOf({ image: testImage });
    const first = executor.start(request, logs);
    expect(executor.start(request, logs)).toBe(first);
    expect(await first.outcome).toMatchObject({ state: "completed" });
  });

  it("says what the engine is, and why there is none", async () => {
    expect(await setup().executor.probe()).toMatchObject({
      ready: true,
      facts: { version: expect.stringMatching(/^\d+\./) },
    });
    const probe = await setup({ host: "unix:///tmp/drover-no-such.sock" }).executor.probe();
    expect(probe).toMatchObject({ ready: false, reason: expect.stringContaining("No container engine") });
  });
});
