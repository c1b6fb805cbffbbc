import { setTimeout as pause } from "node:timers/promises";
import { backoffMs } from "@drover/daemon/backoff";
import type { Log } from "@drover/daemon/log";
import { isTransient } from "@drover/db/fault";
import { askOwnName, isLoginRefused } from "@drover/db/node/login";
import type { Notebook } from "./notebook.ts";

export interface OwnNameOptions {
  url: string;
  notebook: Notebook;
  /** Where the login is of no node in particular. */
  hostName: string;
  /** Ends the wait for a database that does not answer. */
  signal: AbortSignal;
  log: Log;
}

/**
 * What this node is called: as its login says; while the database is away as it said before. A login of a node that never
 * said anything is waited for, since under another name nothing could be done.
 */
export async function findNodeName({ url, notebook, hostName, signal, log }: OwnNameOptions): Promise<string> {
  for (let failures = 1; ; failures += 1) {
    try {
      const node = await askOwnName(url);
      if (node === undefined) return hostName;
      notebook.note({ node });
      return node;
    } catch (error) {
      const known = notebook.notes.node;
      // A refusal is told where this node registers, with what to do about it.
      if (known !== undefined || isLoginRefused(error) || !isNodeLogin(url)) return known ?? hostName;
      if (!isTransient(error)) throw error;
      if (signal.aborted) return hostName;
      log.warn({ error, failures }, "waiting for the database, to learn this node's name");
      await pause(backoffMs(failures, { baseMs: 100, capMs: 5_000 }), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** As db/routine/node-login.sql names them. */
function isNodeLogin(url: string): boolean {
  return /^[a-z]+:\/\/drover_node_\d+_/i.test(url);
}
