import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { lstat, open, realpath } from "node:fs/promises";
import { constants } from "node:fs";
import { basename, isAbsolute, join, normalize, relative, sep } from "node:path";
import type { Output } from "@drover/domain/execution";
import type { RunResult } from "./executor.ts";

const summaryFileBytes = 256 * 1024;
const summaryTotalBytes = 1024 * 1024;

type Collected = Pick<RunResult, "outputs" | "outputsSummary">;

/**
 * Where an output lies relative to the working directory; undefined where it lies outside.
 * An absolute path counts when it is below the working directory as the task sees it.
 */
export function outputPath(path: string, workDir: string): string | undefined {
  if (isAbsolute(path) && !isAbsolute(workDir)) return undefined;
  const inside = isAbsolute(path) ? relative(normalize(workDir), normalize(path)) : normalize(path);
  const isOutside = inside === "" || inside === "." || inside === ".." || inside.startsWith(`..${sep}`);
  return isOutside || isAbsolute(inside) ? undefined : inside;
}

/**
 * Reads what a task left: sizes, checksums, and the contents of small JSON files.
 * Called when nothing of the task runs any more, so that what was checked is what is read.
 */
export async function collectOutputs(
  wanted: readonly Output[],
  folders: { folder: string; workDir: string },
  note: (text: string) => void,
): Promise<Collected> {
  const outputs: RunResult["outputs"] = [];
  const contents: { path: string; content: unknown }[] = [];
  let budget = summaryTotalBytes;
  for (const output of wanted) {
    const read = await readOutput(output, folders, budget);
    if ("problem" in read) {
      note(`Output ${output.path}: ${read.problem}`);
      continue;
    }
    outputs.push(read.entry);
    if (read.content === undefined) continue;
    budget -= read.entry.sizeBytes;
    contents.push({ path: output.path, content: read.content });
  }
  return { outputs, outputsSummary: summarize(contents) };
}

type Read = { problem: string } | { entry: RunResult["outputs"][number]; content?: unknown };

async function readOutput(output: Output, folders: { folder: string; workDir: string }, budget: number): Promise<Read> {
  const inside = outputPath(output.path, folders.workDir);
  if (inside === undefined) return { problem: "refused, it lies outside the working directory." };
  try {
    const root = await realpath(folders.folder);
    const path = await realpath(join(root, inside));
    if (!path.startsWith(root + sep)) return { problem: "refused, a link leads outside the working directory." };
    // A pipe would block the open for ever.
    if (!(await lstat(path)).isFile()) return { problem: "refused, it is not a plain file." };
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await readFile(file, output, budget);
    } finally {
      await file.close();
    }
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return { problem: isMissing ? "the task did not leave it." : `it cannot be read: ${String(error)}.` };
  }
}

async function readFile(file: FileHandle, output: Output, budget: number): Promise<Read> {
  const isJson = output.path.toLowerCase().endsWith(".json");
  const hash = createHash("sha256");
  const kept: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of file.createReadStream({ autoClose: false })) {
    const bytes: Buffer = chunk;
    hash.update(bytes);
    sizeBytes += bytes.length;
    if (isJson && sizeBytes <= Math.min(summaryFileBytes, budget)) kept.push(bytes);
  }
  const entry = { ...output, sizeBytes, checksum: `sha256:${hash.digest("hex")}` };
  const isWhole = isJson && sizeBytes <= Math.min(summaryFileBytes, budget);
  const content = isWhole ? parse(Buffer.concat(kept).toString("utf8")) : undefined;
  return content === undefined ? { entry } : { entry, content };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The file is listed with its checksum; only its contents are not shown.
  }
}

function summarize(contents: { path: string; content: unknown }[]): Record<string, unknown> {
  const names = contents.map(({ path }) => basename(path));
  const isShared = (name: string): boolean => names.indexOf(name) !== names.lastIndexOf(name);
  return Object.fromEntries(
    contents.map(({ path, content }) => [isShared(basename(path)) ? path : basename(path), content]),
  );
}
