import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { ownFolder } from "./embedded/owner.ts";
import { readPostmaster, stopPostmaster } from "./embedded/postmaster.ts";
import { startEmbedded } from "./embedded/server.ts";

export interface TestServer {
  url: string;
  /** A migrated database, to be cloned. */
  template: string;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  /** A server to use instead of the embedded one, as superuser. */
  url?: string | undefined;
  settings?: Record<string, string>;
  /** False, the default, gives up safety against a crash of the machine for speed. */
  isDurable?: boolean;
  /** Prepares the template database. */
  migrate(options: { url: string }): Promise<unknown>;
}

const prefix = "drover-test-";

/** Starts a PostgreSQL for tests in a temporary folder (or takes the one named) and migrates a template database. */
export async function startTestServer({
  url,
  settings = {},
  isDurable = false,
  migrate,
}: TestServerOptions): Promise<TestServer> {
  const server = url === undefined ? await startTemporary(settings, isDurable) : { url, stop: async () => undefined };
  const template = `drover_template_${randomBytes(4).toString("hex")}`;
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  try {
    await sql`create database ${sql(template)}`;
    const target = new URL(server.url);
    target.pathname = `/${template}`;
    await migrate({ url: target.href });
  } catch (error) {
    await sql.end({ timeout: 5 });
    await server.stop();
    throw error;
  }
  return {
    url: server.url,
    template,
    async stop() {
      await sql`drop database ${sql(template)} with (force)`.catch(() => undefined); // it may be gone with its server
      await sql.end({ timeout: 5 });
      await server.stop();
    },
  };
}

async function startTemporary(
  settings: Record<string, string>,
  isDurable: boolean,
): Promise<{ url: string; stop(): Promise<void> }> {
  await clearLeftovers();
  const dataDir = mkdtempSync(join(tmpdir(), prefix));
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  try {
    const all = { max_connections: "300", ...settings };
    const { url, stop } = await startEmbedded({ dataDir, isDurable, settings: all, log: silent });
    return { url, stop: () => stop().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Ends the servers of test runs that were killed. */
async function clearLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    const cluster = join(folder, "postgres");
    if (!existsSync(join(folder, "owner")) || !tryOwn(folder)) continue;
    const orphan = existsSync(cluster) ? readPostmaster(cluster) : undefined;
    if (orphan) await stopPostmaster(orphan.pid, cluster, 5_000);
    rmSync(folder, { recursive: true, force: true });
  }
}

function tryOwn(folder: string): boolean {
  try {
    ownFolder(folder);
    return true;
  } catch {
    return false; // its run is alive
  }
}
