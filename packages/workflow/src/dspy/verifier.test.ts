import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { compileNode } from "./node.ts";

const folder = mkdtempSync(join(tmpdir(), "drover-verifier-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs what a verifier was compiled to. */
async function verify(
  command: string,
  success_signal?: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const verifier = { command, ...(success_signal !== undefined && { success_signal }) };
  const { work } = compileNode({ id: "v", name: "V", type: "verifier", verifier }, "w");
  const [program = "", ...rest] = (work.kind === "task" ? work.execution?.command : undefined) ?? [];
  const plain = rest.map((part) => part.replaceAll("$${", "${"));
  try {
    return { code: 0, ...(await promisify(execFile)(program, plain, { cwd: folder })) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe("a verifier", () => {
  it("passes where its command does and prints the signal", async () => {
    expect(await verify("echo all tests ok; echo done", "tests ok")).toMatchObject({
      code: 0,
      stdout: "all tests ok\ndone\n",
    });
  });

  it("fails where the signal is missing, and says so", async () => {
    expect(await verify("echo nothing", "tests ok")).toMatchObject({
      code: 1,
      stderr: "expected the output to contain the success signal: tests ok\n",
    });
  });

  it("takes the signal as it is, no pattern", async () => {
    expect(await verify("echo abc", "a*c")).toMatchObject({ code: 1 });
    expect(await verify("echo 'a*c'", "a*c")).toMatchObject({ code: 0 });
  });

  it("fails as its command fails, signal or not", async () => {
    expect(await verify("echo tests ok; exit 7", "tests ok")).toMatchObject({ code: 7 });
    expect(await verify("exit 3")).toMatchObject({ code: 3 });
  });
});
