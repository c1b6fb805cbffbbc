import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Count, type Sum, sumTask } from "./batch.ts";
import { addUp, countAgain, countText, differences } from "./check.ts";

const nasty = [
  "The cat, the CAT.\n",
  "no newline at the end",
  "Ünïcode — “quotes” and\ttabs\r\n",
  "a_b __proto__ constructor\n",
  "\n\n1 2 3\n",
];

function setup() {
  const folder = mkdtempSync(join(tmpdir(), "drover-check-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const paths = nasty.map((text, index) => {
    writeFileSync(join(folder, `${index}.txt`), text);
    return `${index}.txt`;
  });
  const run = (script: string, env: Record<string, string>, ...args: string[]): unknown => {
    execFileSync("sh", [join(import.meta.dirname, `task/${script}.sh`), ...args], {
      cwd: folder,
      env: { ...process.env, ...env },
    });
    return JSON.parse(readFileSync(join(folder, `${script}.json`), "utf8"));
  };
  return { folder, paths, run };
}

describe("the independent count", () => {
  it("agrees with the task's script on texts of every kind", async () => {
    const { folder, paths, run } = setup();
    const truth = await countAgain(folder, paths);
    const counted = paths.map((path) => run("count", {}, path));
    expect(truth.tools).toContain("sha256sum");
    for (const [index, count] of truth.counts.entries())
      expect(differences(count, counted[index], nasty[index] ?? "")).toEqual([]);
  });

  it("agrees with the adding script on the totals", () => {
    const { folder, run } = setup();
    const found = nasty.map((text, index) => ({
      folder: index < 2 ? "one" : "the other",
      count: countText(Buffer.from(text)),
    }));
    const { payload } = sumTask(found, "sum", { executor: "process" }) as { payload: object };
    writeFileSync(join(folder, "payload.json"), JSON.stringify(payload));
    const sum = run("sum", { DROVER_PAYLOAD_PATH: join(folder, "payload.json") }) as Sum;
    expect(differences(addUp(found), sum, "sum")).toEqual([]);
    expect(sum.folders["one"]).toEqual({ files: 2, lines: 1, words: 9, bytes: 39 });
  });

  it("knows a few numbers by heart", () => {
    const { words, ...rest } = countText(Buffer.from("The cat, the CAT.\n"));
    expect(rest).toMatchObject({ lines: 1, bytes: 18 } satisfies Partial<Count>);
    expect({ ...words }).toEqual({ the: 2, cat: 2 });
  });
});

describe("differences", () => {
  it("names what is wrong, what is missing and what is too much", () => {
    expect(differences({ lines: 1, words: { a: 1, b: 2 } }, { lines: 2, words: { a: 1, c: 3 } }, "x.ts")).toEqual([
      "x.ts lines: expected 1, got 2",
      "x.ts words b: expected 2, got undefined",
      "x.ts words c: expected undefined, got 3",
    ]);
  });

  it("takes a result that is none for wrong", () => {
    expect(differences({ lines: 1 }, undefined, "x.ts")).toHaveLength(1);
  });
});
