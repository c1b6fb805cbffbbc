import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { getegid, geteuid } from "node:process";
import { DroverError } from "@drover/domain/error";

/** The operating system's user that the server runs as. */
export interface Account {
  uid: number;
  gid: number;
  /** Whether it is another one than ours, which only root may choose. */
  isOther: boolean;
}

/** A command line and the spawn options that run it under an account. */
export interface Launch {
  command: string;
  args: string[];
  options: { cwd: string; env: Record<string, string>; uid?: number; gid?: number };
  /** The folder that is closed to the account, where it needs a capability to pass. */
  closedFolder?: string;
}

/** PostgreSQL refuses to run as root: chooses the owner of the data, else `postgres`, else `nobody`; otherwise ourselves. */
export function chooseAccount(cluster: string): Account {
  const self = { uid: geteuid?.() ?? 0, gid: getegid?.() ?? 0 };
  const owner = existsSync(cluster) ? statSync(cluster) : undefined;
  if (self.uid !== 0) {
    if (owner && owner.uid !== self.uid) {
      throw new DroverError(
        "unavailable",
        `Expected ${cluster} to belong to user ${self.uid}, it belongs to ${owner.uid}. Start as that user, or name another data folder.`,
      );
    }
    return { ...self, isOther: false };
  }
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid, isOther: true };
  return { ...(systemUser("postgres") ?? systemUser("nobody") ?? { uid: 65534, gid: 65534 }), isOther: true };
}

/**
 * Builds the command that runs `file` as the account.
 *
 * Root's clones often lie below a folder that is closed to others (/root, a `mktemp -d`). The server then keeps
 * one capability, to pass closed folders, so that neither the folders' modes nor the place of the data change.
 */
export function launchAs(account: Account, file: string, args: string[], needed: string[]): Launch {
  const options = { cwd: "/", env: { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" } };
  if (!account.isOther) return { command: file, args, options };
  const closedFolder = [file, ...needed].map((path) => firstClosed(path, account)).find((path) => path !== undefined);
  if (closedFolder === undefined) {
    return { command: file, args, options: { ...options, uid: account.uid, gid: account.gid } };
  }
  const capability = passingCapability(closedFolder);
  const setpriv = [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  // Without this bit access(2), by which PostgreSQL finds its own files, ignores the capability.
  setpriv.push("--securebits=+no_setuid_fixup", `--inh-caps=+${capability}`, `--ambient-caps=+${capability}`);
  return { command: "setpriv", args: [...setpriv, "--", file, ...args], options, closedFolder };
}

function systemUser(name: string): { uid: number; gid: number } | undefined {
  if (!existsSync("/etc/passwd")) return undefined;
  const fields = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.split(":");
  return fields ? { uid: Number(fields[2]), gid: Number(fields[3]) } : undefined;
}

/** The outermost folder (or the file itself) on the path that the account may not pass. */
function firstClosed(path: string, account: Account): string | undefined {
  const parents: string[] = [];
  for (let at = path; at !== dirname(at); at = dirname(at)) parents.unshift(at);
  return parents.find((at) => {
    if (!existsSync(at)) return false;
    const { mode, uid, gid } = statSync(at);
    const need = at === path && !statSync(at).isDirectory() ? 0o4 : 0o1;
    const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
    return ((mode >> shift) & need) === 0;
  });
}

function passingCapability(closedFolder: string): string {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const has = (bit: bigint): boolean => ((BigInt(`0x${effective}`) >> bit) & 1n) === 1n;
  const hasSetpriv = ["/usr/bin/setpriv", "/bin/setpriv"].some((file) => existsSync(file));
  if (hasSetpriv && has(2n)) return "dac_read_search";
  if (hasSetpriv && has(1n)) return "dac_override"; // what a container's root is left with
  throw new DroverError(
    "unavailable",
    `Expected every folder above the clone and the data to be open to other users, since PostgreSQL may not run as root; ${closedFolder} is closed. ` +
      `Run chmod o+x ${closedFolder}, clone elsewhere, start as an ordinary user, or set DROVER_DATABASE_URL.`,
  );
}
