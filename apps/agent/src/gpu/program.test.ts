import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../executor/testing.ts";
import { createProgram } from "./program.ts";
import { fakeRocmSmi } from "./testing.ts";

const sh = createProgram({ program: "/bin/sh", timeoutMs: 10_000 });

describe("a program of a driver", () => {
  it("answers with its output and exit code, or is missing", async () => {
    expect(await sh(["-c", "echo out; echo err >&2; exit 6"])).toEqual({
      state: "ended",
      exitCode: 6,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect(await createProgram({ program: "/no/such/program", timeoutMs: 1000 })([])).toEqual({ state: "missing" });
  });

  it("is unknown, not missing, where it cannot be started or was killed", async () => {
    expect(await createProgram({ program: temporaryFolder(), timeoutMs: 1000 })([])).toMatchObject({
      state: "unknown",
      problem: expect.stringContaining("EACCES"),
    });
    expect(await sh(["-c", "kill -9 $$"])).toEqual({ state: "unknown", problem: "/bin/sh was ended by SIGKILL." });
  });

  it("is not started again before the one that hung has gone", async () => {
    const fake = fakeRocmSmi({ isHanging: true });
    const run = createProgram({ program: fake.path, timeoutMs: 300 });
    expect(await run([])).toMatchObject({ problem: expect.stringContaining("did not answer within 300 ms") });
    // The exit of what was killed a moment ago has not come in yet.
    expect(await run([])).toMatchObject({ problem: expect.stringContaining("still hangs since an earlier look") });
    expect(readFileSync(fake.calls, "utf8").split("\n")).toHaveLength(2);
    fake.set({});
    await expect.poll(() => run([])).toMatchObject({ state: "ended" });
  });

  it("takes what it started with it when its time is up", async () => {
    const pidFile = join(temporaryFolder(), "pid");
    const run = createProgram({ program: "/bin/sh", timeoutMs: 400 });
    expect(await run(["-c", `sleep 60 & echo $! > ${pidFile}; wait`])).toMatchObject({ state: "unknown" });
    const pid = readFileSync(pidFile, "utf8").trim();
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

// What nobody waits for stays in the table as a zombie.
function isAlive(pid: string): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
