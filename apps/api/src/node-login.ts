import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "@drover/db/client";
import { ensureNodeLogin } from "@drover/db/query/node-login";
import { findNamespace } from "@drover/db/query/queue";
import { DroverError } from "@drover/domain/error";

export interface NodeLoginOptions {
  /** Of a role that may create roles. */
  url: string;
  name: string;
  /** Where to leave the URL as node-<name>.url, readable by its owner only. */
  folder?: string;
}

/** Makes a database login that may act for one node and nothing else; its URL, with a new password. */
export async function writeNodeLogin({ url, name, folder }: NodeLoginOptions): Promise<string> {
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(name)) {
    throw new DroverError(
      "invalid",
      `Expected a node's name in lower-case letters, digits, dots and dashes, got "${name}".`,
    );
  }
  const db = openDatabase({ url, maxConnections: 1 });
  try {
    const namespaceId = await findNamespace(db, "default");
    if (namespaceId === undefined) throw new DroverError("internal", "The default namespace is missing.");
    const file = folder === undefined ? undefined : join(folder, `node-${name}.url`);
    // An agent that is running goes on with the password it was started with.
    const password = (file && passwordIn(file)) ?? randomBytes(24).toString("base64url");
    const login = await ensureNodeLogin(db, namespaceId, name, password);
    const own = new URL(url);
    own.username = login;
    own.password = password;
    if (folder !== undefined && file !== undefined) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, own.href, { mode: 0o600 });
      chmodSync(file, 0o600);
    }
    return own.href;
  } finally {
    await db.close();
  }
}

function passwordIn(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8").trim();
  return URL.canParse(text) && new URL(text).password !== "" ? new URL(text).password : undefined;
}
