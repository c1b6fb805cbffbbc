import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { render } from "@drover/domain/workflow/expression/template-render";
import type { Json } from "@drover/domain/json";
import { createReport } from "@drover/document/source/report";
import { compileCode } from "./code.ts";

const folder = mkdtempSync(join(tmpdir(), "drover-code-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs code as its container would. */
async function run(
  code: string,
  outputs: Record<string, string>,
  inputs: Json = {},
): Promise<{ stdout: string; stderr: string }> {
  const isSingle = Object.keys(outputs).length === 1;
  const { work } = compileCode({ code, inputs, outputs, isSingle, sandbox: undefined }, createReport());
  if (work.kind !== "task") throw new Error("Expected a task.");
  const payload = render(work.payload ?? null, { root: () => undefined, step: () => "missing" });
  writeFileSync(join(folder, "payload.json"), JSON.stringify("value" in payload ? payload.value : payload));
  const [, ...rest] = work.execution?.command ?? [];
  const env = { ...process.env, DROVER_PAYLOAD_PATH: join(folder, "payload.json") };
  return promisify(execFile)("python3", rest, { env }).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
}

const hasPython = spawnSync("python3", ["--version"]).status === 0;

describe.skipIf(!hasPython)("code in a sandbox", () => {
  it("finds its inputs and hands over its result", async () => {
    const { stdout } = await run(
      "print('at work')\nresult = sum(inputs['numbers'])",
      { total: "int" },
      { numbers: [1, 2, 3] },
    );
    expect(stdout).toBe('at work\n\n__DSPY_RESULT__:{"total": 6}\n');
  });

  it("hands over several results by name, and may hold what looks like a template", async () => {
    const { stdout } = await run("result = {'a': '${x}', 'b': [1], 'c': 3}", { a: "str", b: "list[int]" });
    expect(stdout).toContain('__DSPY_RESULT__:{"a": "${x}", "b": [1]}');
  });

  it.each([
    ["x = 1", { a: "int" }, "expected the code to assign a value to result"],
    ["result = 'x'", { a: "int" }, "expected a to be of type int, got str"],
    ["result = True", { a: "int" }, "expected a to be of type int, got bool"],
    ["result = {'a': 1}", { a: "int", b: "int" }, "expected result to be a dict with the key b"],
    ["1 / 0", { a: "int" }, "ZeroDivisionError"],
  ])("fails with a reason: %s", async (code, outputs, message) => {
    const { stdout, stderr } = await run(code, outputs);
    expect(stderr).toContain(message);
    expect(stdout).not.toContain("__DSPY_RESULT__");
  });
});
