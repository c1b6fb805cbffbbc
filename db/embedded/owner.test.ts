import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownFolder } from "./owner.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "drover-owner-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("owner of a data folder", () => {
  it("lets nobody else in while it lives", () => {
    const disown = ownFolder(folder);
    expect(() => ownFolder(folder)).toThrow(`process ${process.pid} uses it`);
    disown();
    ownFolder(folder)();
  });

  it("is replaced when it is a zombie that nobody has reaped", async () => {
    // The shell has become sleep by the time its child ends, and never asks for it.
    const shell = spawn("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const pid = await new Promise<string>((resolve) =>
        shell.stdout.once("data", (bytes) => resolve(String(bytes).trim())),
      );
      const stateOf = () => /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
      await expect.poll(stateOf).toBe("Z");
      const start = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19];
      writeFileSync(join(folder, "owner"), `${pid} ${start}\n`);
      ownFolder(folder)();
    } finally {
      shell.kill("SIGKILL");
    }
  });
});
