import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { claimFolder, clearRun, endProcesses, findDeadRuns, findStarted, makeRunFolder, marker } from "./leftover.ts";

function setup() {
  const base = mkdtempSync(join(tmpdir(), "drover-leftover-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return { base };
}

async function launch(folder: string) {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000); console.log('up')"], {
    env: { ...process.env, [marker]: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

describe("leftovers", () => {
  it("are the runs whose process is gone, and not the one that goes on", () => {
    const { base } = setup();
    const alive = makeRunFolder(base);
    const dead = makeRunFolder(base);
    const reused = makeRunFolder(base);
    writeFileSync(join(dead, "supervisor"), "999999999 1\n");
    writeFileSync(join(reused, "supervisor"), `${process.pid} 1\n`); // our number, but another start
    mkdirSync(join(base, "postgres"));
    expect(findDeadRuns(base).toSorted()).toEqual([dead, reused].toSorted());
    expect(existsSync(alive)).toBe(true);
  });

  it("are ended by the folder for which they were started, and nothing else is", async () => {
    const { base } = setup();
    const [ours, theirs] = [await launch(join(base, "a")), await launch(join(base, "ab"))];
    expect(await endProcesses(join(base, "a"))).toEqual([`process ${ours.pid}`]);
    expect(findStarted(join(base, "ab")).map(({ pid }) => pid)).toEqual([theirs.pid]);
  });

  it("go with their folder", async () => {
    const { base } = setup();
    const folder = makeRunFolder(join(base, ".drover"));
    const child = await launch(folder);
    expect(await clearRun(folder, undefined)).toEqual([`process ${child.pid}`]);
    expect(existsSync(join(base, ".drover"))).toBe(false);
  });
});

describe("claimFolder", () => {
  it("refuses a folder in use by its process number, and takes over from a dead one", () => {
    const { base } = setup();
    const release = claimFolder(base);
    expect(() => claimFolder(base)).toThrow(`Drover runs in ${base} already, started by process ${process.pid}.`);
    release();
    writeFileSync(join(base, "supervisor"), "999999999 1\n");
    claimFolder(base)();
    expect(existsSync(join(base, "supervisor"))).toBe(false);
    expect(() => readFileSync(join(base, "supervisor"))).toThrow("ENOENT");
  });
});
