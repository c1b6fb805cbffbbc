import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { backoffMs } from "@drover/daemon/backoff";
import type { Log } from "@drover/daemon/log";
import { rotateLogin, tryLogin } from "@drover/db/node/login";
import { DroverError } from "@drover/domain/error";

export interface LoginOptions {
  /** Holds the URL of the node's own login. */
  file: string;
  /** The age from which the password is replaced; 0: never. */
  rotateDays: number;
  /** Ends the wait for a database that does not answer. */
  signal: AbortSignal;
  log: Log;
  now?: () => number;
}

/**
 * The URL in a node's file, with a new password where the old one has become old. A crash may come at any point:
 *
 *   old in FILE --write--> new in FILE.next too --rotate--> new in the database --rename--> new in FILE
 *
 * Whenever there is a FILE.next, the database is asked which of the two it takes: the new one is renamed, or removed.
 */
export async function openLogin({ file, rotateDays, signal, log, now = Date.now }: LoginOptions): Promise<string> {
  if (!existsSync(file)) {
    throw new DroverError("invalid", `Expected the URL of this node's login in ${file}, found no such file.`, {
      hint: 'Join with "drover node join --token TOKEN", or name the file with DROVER_AGENT_DATABASE_URL_FILE.',
    });
  }
  // A link may lead to it: what is renamed is what it leads to.
  const path = realpathSync(file);
  const url = await settle(path, { signal, log });
  const ageDays = (now() - statSync(path).mtimeMs) / 86_400_000;
  if (rotateDays === 0 || ageDays < rotateDays || signal.aborted) return url;
  const password = randomBytes(24).toString("base64url");
  const renewed = withPassword(url, password);
  if (renewed === undefined) return url;
  try {
    rehearse(path, url);
    writeWhole(`${path}.next`, renewed);
    if (await rotateLogin(url, password))
      log.info({ ageDays: Math.floor(ageDays) }, "the node's password was replaced");
  } catch (error) {
    log.warn({ error }, "the node's password could not be replaced; it stays as it is until it is tried again");
  }
  return settle(path, { signal, log });
}

async function settle(path: string, { signal, log }: Pick<LoginOptions, "signal" | "log">): Promise<string> {
  const ours = readFileSync(path, "utf8").trim();
  const next = `${path}.next`;
  if (!existsSync(next)) return ours;
  const renewed = readFileSync(next, "utf8").trim();
  for (let failures = 1; !signal.aborted; failures += 1) {
    const answer = await tryLogin(renewed);
    if (answer === "accepted") {
      renameSync(next, path);
      syncFolder(path);
      return renewed;
    }
    if (answer === "refused") {
      const former = await tryLogin(ours);
      if (former === "accepted") {
        rmSync(next);
        return ours;
      }
      // Both are kept: what refuses one for a while might refuse the right one.
      if (former === "refused") throw refused(path);
    }
    log.warn({ failures }, "waiting for the database, to learn which password it takes");
    await pause(backoffMs(failures, { baseMs: 100, capMs: 5_000 }), undefined, { signal }).catch(() => undefined);
  }
  return ours;
}

function refused(path: string): DroverError {
  return new DroverError("forbidden", `The database takes neither the login in ${path} nor the one in ${path}.next.`, {
    hint: 'Join anew: "drover node join --replace --token TOKEN".',
  });
}

/** Cut as text: a URL of Postgres may name several hosts. Undefined where it names no user. */
function withPassword(url: string, password: string): string | undefined {
  const match = /^([a-z]+:\/\/)([^:@/?#]+)(?::[^@/?#]*)?@(.*)$/i.exec(url);
  return match === null ? undefined : `${match[1]}${match[2]}:${password}@${match[3]}`;
}

/** Replaces the file by itself: one that cannot be replaced, such as a mounted one, must be found out before the database is told. */
function rehearse(path: string, url: string): void {
  const { atime, mtime } = statSync(path);
  writeWhole(path, url);
  utimesSync(path, atime, mtime);
}

/** The file is there as a whole, and stays so when the power fails, before anything else happens. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.draft`;
  rmSync(draft, { force: true });
  const handle = openSync(draft, "wx", 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, path);
  syncFolder(path);
}

function syncFolder(path: string): void {
  const handle = openSync(dirname(path), "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
