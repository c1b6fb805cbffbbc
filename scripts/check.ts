import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./check-run.ts";

/** One thing that must hold; a step rejects with what is wrong. What it returns is shown beside its name. */
interface Step {
  name: string;
  work(): Promise<string | void>;
}

/** Everything that CI asks, in its order. `--no-test` leaves the tests out. */
const steps: Step[] = [
  { name: "generated", work: () => quiet("node", ["scripts/generate.ts", "--check"]) },
  { name: "format", work: () => quiet("oxfmt", ["--check", "."]) },
  { name: "lint", work: () => quiet("oxlint", []) },
  { name: "layers", work: () => quiet("turbo", ["boundaries"]) },
  { name: "contract lint", work: () => quiet("buf", ["lint"]) },
  { name: "contract breaking", work: checkBreaking },
  { name: "types", work: () => quiet("tsc", ["--noEmit"]) },
  { name: "unused", work: () => quiet("knip", ["--no-progress", "--no-config-hints"]) },
  { name: "shell", work: checkShell },
];
if (!process.argv.includes("--no-test")) steps.push({ name: "tests", work: runTests });

const failed: string[] = [];
for (const step of steps) {
  const start = performance.now();
  const result = await step.work().then(
    (note) => ({ isOk: true, note: note ?? "" }),
    (error: unknown) => ({ isOk: false, note: error instanceof Error ? error.message : String(error) }),
  );
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
  console.log(
    `${result.isOk ? "ok    " : "FAILED"} ${step.name.padEnd(18)}${seconds} s  ${result.isOk ? result.note : ""}`.trimEnd(),
  );
  if (result.isOk) continue;
  failed.push(step.name);
  console.log(result.note.replace(/^/gm, "    "));
}
console.log(
  failed.length === 0
    ? `All ${steps.length} checks hold.`
    : `${failed.length} of ${steps.length} checks failed: ${failed.join(", ")}.`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function quiet(command: string, args: string[]): Promise<void> {
  await run(command, args);
}

/** Compares the contract with the last release, before the first one with main, on main itself with the commit before. */
async function checkBreaking(): Promise<string> {
  const base = await previousState();
  if (base === undefined) return "skipped: this clone holds no earlier state";
  const folder = mkdtempSync(join(tmpdir(), "drover-breaking-"));
  try {
    await run("sh", ["-c", 'git archive "$1" proto buf.yaml | tar -x -C "$2"', "sh", base.commit, folder]);
    await run("buf", ["breaking", "--against", folder]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return `against ${base.name}`;
}

async function previousState(): Promise<{ name: string; commit: string } | undefined> {
  const tag = (await git("describe", "--tags", "--abbrev=0", "--match", "v*")) ?? "v0";
  const head = await git("rev-parse", "HEAD");
  for (const name of [tag, "origin/main", "main", "HEAD^"]) {
    const commit = await git("rev-parse", "--verify", "--quiet", `${name}^{commit}`);
    if (commit !== undefined && commit !== head) return { name, commit };
  }
  return undefined;
}

async function git(...args: string[]): Promise<string | undefined> {
  return await run("git", args).then(
    (output) => output.trim(),
    () => undefined,
  );
}

/** bash itself is the only shell checker that every machine has. */
async function checkShell(): Promise<void> {
  const tracked = (
    await run("git", ["ls-files", "--cached", "--others", "--exclude-standard", "scripts", ".ci", "infra"])
  )
    .trim()
    .split("\n");
  const isShell = (file: string): boolean => /^#!.*\bbash/.test(readFileSync(file, "utf8").split("\n", 1)[0] ?? "");
  await Promise.all(tracked.filter(isShell).map((file) => quiet("bash", ["-n", file])));
}

async function runTests(): Promise<string> {
  return (await run("scripts/test", [])).trim().split("\n").at(-1) ?? "";
}
