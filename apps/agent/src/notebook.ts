import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "@drover/daemon/log";
import { redactText } from "@drover/daemon/redact";

/** What an agent has to know before the database answers. */
export interface Notes {
  /** Which installation of Drover it belongs to. */
  installation?: string;
  /** What its login said it is called. */
  node?: string;
}

/** What an agent was told in former lives, by the login that it was told with. */
export interface Notebook {
  readonly notes: Readonly<Notes>;
  /** Takes more down, where it is news. */
  note(more: Notes): void;
}

/** A file of the folder, one for each login and database: two agents may share a folder. */
export function openNotebook({ folder, url, log }: { folder: string; url: string; log: Log }): Notebook {
  const file = join(folder, `.agent-${createHash("sha256").update(redactText(url)).digest("hex").slice(0, 12)}.json`);
  let notes = read(file);
  return {
    get notes() {
      return notes;
    },
    note(more) {
      const next = { ...notes, ...more };
      if (next.installation === notes.installation && next.node === notes.node) return;
      notes = next;
      try {
        mkdirSync(folder, { recursive: true });
        writeFileSync(`${file}.draft`, `${JSON.stringify(notes)}\n`);
        renameSync(`${file}.draft`, file);
      } catch (error) {
        log.warn(
          { error, file },
          "what this agent was told could not be kept; a start without the database will lack it",
        );
      }
    },
  };
}

function read(file: string): Notes {
  try {
    const { installation, node } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    return {
      ...(typeof installation === "string" && { installation }),
      ...(typeof node === "string" && { node }),
    };
  } catch {
    return {}; // None yet, or a broken one: it is told anew.
  }
}
