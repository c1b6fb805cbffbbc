import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startUp } from "../testing-up.ts";

const main = join(import.meta.dirname, "../main.ts");
let dataDir = "";

beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), "drover-up-"));
});
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

/** The programs, by name, that run for the folder; the embedded PostgreSQL is one of them. */
function processesOf(folder: string): { pid: number; name: string }[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const isOurs = ["cmdline", "environ"].some((file) =>
        readFileSync(`/proc/${pid}/${file}`, "utf8").includes(folder),
      );
      const name = /apps\/(api|agent|cli)\/|postgres/.exec(readFileSync(`/proc/${pid}/cmdline`, "utf8"))?.[0];
      return isOurs && name !== undefined ? [{ pid: Number(pid), name }] : [];
    } catch {
      return [];
    }
  });
}

function pidOf(name: string): number {
  const found = processesOf(dataDir).find((each) => each.name === name);
  if (found === undefined) throw new Error(`Expected a process ${name}, found none.`);
  return found.pid;
}

describe("drover up", () => {
  it("runs a task, and at SIGTERM stops everything and exits with 0", async () => {
    const { child, ended, address, node } = await startUp(dataDir);
    expect(node).toMatchObject({ state: "ready", executors: ["process"] });
    const args = [main, "task", "submit", "--address", address, "--process", "--logs", "--", "echo", "hello"];
    expect(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })).toBe(
      "hello\n",
    );
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0, err: "" });
    expect(processesOf(dataDir)).toEqual([]);
  }, 60_000);

  it("says which program ended, stops the other, and exits with 1", async () => {
    const { ended } = await startUp(dataDir);
    process.kill(pidOf("apps/agent/"), "SIGKILL");
    const { code, err } = await ended;
    expect(code).toBe(1);
    expect(err).toContain("The agent ended (signal SIGKILL)");
    expect(processesOf(dataDir)).toEqual([]);
  }, 60_000);

  it("leaves nothing behind when it is killed itself", async () => {
    const { child, ended } = await startUp(dataDir);
    child.kill("SIGKILL");
    await ended;
    await expect.poll(() => processesOf(dataDir), { timeout: 30_000 }).toEqual([]);
  }, 60_000);
});
