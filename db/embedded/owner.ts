import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pid as self } from "node:process";
import { DroverError } from "@drover/domain/error";

/** Makes this process the only supervisor of a data folder; returns the way to give it up. A dead owner is replaced. */
export function ownFolder(dataDir: string): () => void {
  const file = join(dataDir, "owner");
  const mine = join(dataDir, `owner.${self}`);
  writeFileSync(mine, `${self} ${startOf(self)}\n`);
  try {
    for (let tries = 0; tries < 3; tries++) {
      if (link(mine, file)) return () => rmSync(file, { force: true });
      const [pid = "", start = ""] = existsSync(file) ? readFileSync(file, "utf8").trim().split(" ") : [];
      if (pid !== "" && startOf(Number(pid)) === start) throw taken(dataDir, pid);
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
  throw taken(dataDir, "unknown");
}

/** Linking is atomic: of two processes that come at once, one gets the name. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** When a process started, in clock ticks since boot; tells a process from a later one with the same number. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in brackets and may hold spaces; the state is field 3, the start time field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie owns nothing any more, though nobody has reaped it yet.
    return fields[0] === "Z" || fields[0] === "X" ? "gone" : (fields[19] ?? "");
  } catch {
    return "gone";
  }
}

function taken(dataDir: string, pid: string): DroverError {
  return new DroverError(
    "conflict",
    `Expected the data folder ${dataDir} to be free, process ${pid} uses it. Stop that process, or name another folder with --data.`,
  );
}
