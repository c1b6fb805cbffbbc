import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** A file of the clone that becomes the input of one task. */
export interface InputFile {
  /** Relative to the root of the clone. */
  path: string;
  /** The first part of the path, by which the results are added up. */
  folder: string;
  bytes: number;
}

const suffixes = /\.(ts|sql|md|proto|sh|json)$/;
const skipped = /^(node_modules|dist|gen|package-lock\.json|\..*)$/;
const plainName = /^[A-Za-z0-9_.-]+$/;
/** Small enough for a container to be quick about, and for all counts together to travel as one payload. */
const fileBytes = { least: 200, most: 12_000 };
const topLevel = "top level";

/** Lists the text files of a clone, whether or not it is a git checkout. */
export function listInput(root: string, below = ""): InputFile[] {
  const entries = readdirSync(join(root, below), { withFileTypes: true });
  return entries.flatMap((entry): InputFile[] => {
    const path = join(below, entry.name);
    if (skipped.test(entry.name) || !plainName.test(entry.name)) return [];
    if (entry.isDirectory()) return listInput(root, path);
    if (!entry.isFile() || !suffixes.test(entry.name)) return [];
    const [folder = ""] = path.split("/");
    return [{ path, folder: folder === path ? topLevel : folder, bytes: statSync(join(root, path)).size }];
  });
}

/** Chooses `count` files, as many from each folder as there are, in an order that does not change between runs. */
export function chooseInput(files: readonly InputFile[], count: number): InputFile[] {
  const fit = files.filter(({ bytes }) => bytes >= fileBytes.least && bytes <= fileBytes.most);
  const sorted = fit.toSorted((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
  const queues = [...Map.groupBy(sorted, ({ folder }) => folder).values()];
  const chosen: InputFile[] = [];
  for (let turn = 0; chosen.length < Math.min(count, fit.length); turn++) {
    for (const queue of queues) {
      const file = queue[turn];
      if (file !== undefined && chosen.length < count) chosen.push(file);
    }
  }
  return chosen.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
