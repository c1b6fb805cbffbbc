import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Count, FolderCount, Sum } from "./batch.ts";

/** What is true of the files, found without Drover, and by what. */
export interface Truth {
  counts: Count[];
  /** The tools that were asked, as a phrase. */
  tools: string;
}

const run = promisify(execFile);

/** Counts files by other means than the tasks do: checksums, lines and bytes by coreutils where they are, the rest by Node. */
export async function countAgain(folder: string, paths: readonly string[]): Promise<Truth> {
  const counts = paths.map((path) => countText(readFileSync(join(folder, path))));
  const options = { cwd: folder, env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" } };
  const asked = await Promise.all([run("sha256sum", paths, options), run("wc", ["-lc", ...paths], options)]).catch(
    () => undefined,
  );
  if (asked === undefined) return { counts, tools: "Node's own counts (there is no sha256sum or wc here)" };
  const sums = asked[0].stdout.split("\n");
  const sizes = asked[1].stdout.split("\n").map((line) => line.trim().split(/ +/).map(Number));
  return {
    counts: counts.map((count, index) => ({
      ...count,
      sha256: sums[index]?.slice(0, 64) ?? "",
      lines: sizes[index]?.[0] ?? -1,
      bytes: sizes[index]?.[1] ?? -1,
    })),
    tools: "sha256sum, wc and Node",
  };
}

/** Counts one file in a few lines of JavaScript. */
export function countText(content: Buffer): Count {
  const text = content.toString("latin1");
  const words: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const [word] of text.toLowerCase().matchAll(/[a-z]+/g)) words[word] = (words[word] ?? 0) + 1;
  return {
    lines: text.split("\n").length - 1,
    bytes: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
    words,
  };
}

/** Adds up counts as the adding task should. */
export function addUp(counted: readonly FolderCount[]): Sum {
  const folders: Sum["folders"] = {};
  const words: Sum["words"] = Object.create(null) as Sum["words"];
  for (const { folder: name, count } of counted) {
    const folder = (folders[name] ??= { files: 0, lines: 0, words: 0, bytes: 0 });
    folder.files += 1;
    folder.lines += count.lines;
    folder.bytes += count.bytes;
    for (const [word, times] of Object.entries(count.words)) {
      folder.words += times;
      words[word] = (words[word] ?? 0) + times;
    }
  }
  return { folders, words };
}

/** Where two results differ, as `path: expected X, got Y`; nothing where they agree. */
export function differences(expected: unknown, got: unknown, path: string): string[] {
  if (typeof expected !== "object" || expected === null || typeof got !== "object" || got === null) {
    return expected === got ? [] : [`${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`];
  }
  const [left, right] = [new Map(Object.entries(expected)), new Map(Object.entries(got))];
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names].flatMap((name) => differences(left.get(name), right.get(name), `${path} ${name}`));
}
