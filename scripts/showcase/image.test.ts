import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseLibraries, stageRoot, tools } from "./image.ts";

function setup() {
  const folder = mkdtempSync(join(tmpdir(), "drover-stage-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { folder, stage: join(folder, "stage") };
}

describe("the image of this machine's tools", () => {
  it("reads what ldd says of libraries, the loader and a static program", () => {
    const text = "\tlinux-vdso.so.1 (0x7ffc)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x7f)\n\t/lib64/ld-linux.so.2 (0x7e)\n";
    expect(parseLibraries(text)).toEqual(["/lib/x/libc.so.6", "/lib64/ld-linux.so.2"]);
    expect(parseLibraries("\tnot a dynamic executable\n")).toEqual([]);
  });

  it("holds the tools with their libraries where there is no busybox", async () => {
    const { folder, stage } = setup();
    const bin = join(folder, "path");
    mkdirSync(bin);
    for (const name of tools)
      symlinkSync(execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(), join(bin, name));
    expect(await stageRoot(stage, bin)).toBe("this machine's shell and coreutils");
    expect(readdirSync(join(stage, "bin")).toSorted()).toEqual(tools.toSorted());
  });

  it("says which tool this machine lacks", async () => {
    const { folder, stage } = setup();
    await expect(stageRoot(stage, folder)).rejects.toThrow("this machine has no sh");
  });
});
