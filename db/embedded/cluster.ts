import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { DroverError } from "@drover/domain/error";
import { type Account, launchAs } from "./account.ts";
import type { Binaries } from "./binary.ts";

/** Where a cluster lies, by which programs and under whom. */
export interface ClusterPlan {
  cluster: string;
  binaries: Binaries;
  account: Account;
  /** Whether it must survive a crash of the machine; false only for tests. */
  isDurable: boolean;
}

/** Holds the superuser's password, inside the cluster. */
export const passwordFile = "drover.password";

/** Makes the data folder, open enough for the server's account to reach its cluster below it. */
export function prepareFolder(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true });
  const mode = statSync(dataDir).mode & 0o777;
  if ((mode & 0o011) !== 0o011) chmodSync(dataDir, mode | 0o011);
}

/** Makes the cluster on first use and returns the superuser's password, which lives inside it. */
export async function ensureCluster({ cluster, binaries, account, isDurable }: ClusterPlan): Promise<string> {
  if (!existsSync(cluster)) await initialise({ cluster, binaries, account, isDurable });
  const major = readFileSync(join(cluster, "PG_VERSION"), "utf8").trim();
  if (major !== binaries.major) {
    throw new DroverError(
      "unavailable",
      `Expected data of PostgreSQL ${binaries.major} in ${cluster}, found ${major}. ` +
        `Dump it with the Drover that wrote it and restore the dump, or name another data folder.`,
    );
  }
  return readFileSync(join(cluster, passwordFile), "utf8").trim();
}

/** Works beside the final place and renames at the end, so that a killed first start leaves no half cluster. */
async function initialise({ cluster, binaries, account, isDurable }: ClusterPlan): Promise<void> {
  const draft = `${cluster}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const password = `${draft}.password`;
  writeFileSync(password, randomBytes(24).toString("base64url"), { mode: 0o600 });
  if (account.isOther) for (const path of [draft, password]) chownSync(path, account.uid, account.gid);
  const args = ["-D", draft, "--username=postgres", `--pwfile=${password}`, "--auth=scram-sha-256", "--encoding=UTF8"];
  args.push("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums");
  if (!isDurable) args.push("--no-sync");
  const launch = launchAs(account, binaries.initdb, args, [binaries.share, draft]);
  try {
    await promisify(execFile)(launch.command, launch.args, launch.options);
  } catch (cause) {
    const text = (cause as { stderr?: string }).stderr?.trim() ?? "";
    throw new DroverError("unavailable", `Expected initdb to make ${cluster}, it failed: ${text || String(cause)}`, {
      cause,
    });
  }
  renameSync(password, join(draft, passwordFile));
  renameSync(draft, cluster);
}
