import { opendir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

export interface ModelFileOptions {
  folders: readonly string[];
  maxNames?: number;
  maxDepth?: number;
  /** Entries looked at in all: a folder of a million files must not keep the agent busy. */
  maxEntries?: number;
}

/**
 * Lists what lies below the folders of models, files and folders, as paths below them; what is hidden is left out. Links
 * count as what they are called, and are not followed. A folder that cannot be read has nothing.
 */
export async function listModelFiles({
  folders,
  maxNames = 1000,
  maxDepth = 6,
  maxEntries = 20_000,
}: ModelFileOptions): Promise<string[]> {
  const names = new Set<string>();
  let left = maxEntries;
  for (const folder of folders) {
    const root = resolve(folder);
    // Level by level: where the bound cuts, it cuts what lies deepest.
    let level = [root];
    for (let depth = 0; depth < maxDepth && level.length > 0; depth += 1) {
      const next: string[] = [];
      for (const path of level) {
        for (const { name, isFolder } of await entriesOf(path, left)) {
          left -= 1;
          if (name.startsWith(".") || names.size >= maxNames) continue;
          names.add(relative(root, join(path, name)));
          if (isFolder) next.push(join(path, name));
        }
        if (left <= 0 || names.size >= maxNames) return [...names].toSorted();
      }
      level = next.toSorted();
    }
  }
  return [...names].toSorted();
}

async function entriesOf(path: string, limit: number): Promise<{ name: string; isFolder: boolean }[]> {
  const entries: { name: string; isFolder: boolean }[] = [];
  try {
    for await (const entry of await opendir(path)) {
      if (entries.length >= limit) break;
      entries.push({ name: entry.name, isFolder: entry.isDirectory() });
    }
  } catch {
    return entries; // Gone, or closed to us.
  }
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
