import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { EnvValue } from "@drover/domain/environment/declaration";

export type EnvAnswer = { ok: true; env: Record<string, string> } | { ok: false; message: string };

const secretName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/;

/** Puts the values of secrets in their places: the content of files of this node, without the line's end. */
export async function resolveEnv(
  env: Readonly<Record<string, EnvValue>>,
  secretsDir: string | undefined,
): Promise<EnvAnswer> {
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === "string") {
      resolved[name] = value;
      continue;
    }
    const secret = value.secret;
    if (secretsDir === undefined) {
      return refuse(secret, name, "the node has no folder of secrets: set DROVER_AGENT_SECRETS_DIR there");
    }
    if (!secretName.test(secret)) return refuse(secret, name, "expected a plain file name");
    try {
      const text = await readFile(join(secretsDir, secret), "utf8");
      resolved[name] = text.replace(/\r?\n$/, "");
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      return refuse(
        secret,
        name,
        code === "ENOENT" ? "the node does not have it" : `it cannot be read there (${code})`,
      );
    }
  }
  return { ok: true, env: resolved };
}

function refuse(secret: string, variable: string, why: string): EnvAnswer {
  return { ok: false, message: `The secret ${JSON.stringify(secret)} for ${variable} is missing: ${why}.` };
}
