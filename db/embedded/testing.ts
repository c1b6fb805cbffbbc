import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, expect, onTestFinished } from "vitest";
import { readPostmaster } from "./postmaster.ts";
import { type EmbeddedServer, startEmbedded } from "./server.ts";

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface TestFolder {
  root: string;
  dataDir: string;
  cluster: string;
  /** Starts a server that ends with the test; the cluster stays for the next one. */
  start(): Promise<EmbeddedServer>;
}

/** A temporary folder for the clusters of one test file. */
export function createTestFolder(): TestFolder {
  const root = mkdtempSync(join(tmpdir(), "drover-embedded-"));
  chmodSync(root, 0o755);
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const dataDir = join(root, "data");
  const cluster = join(dataDir, "postgres");
  return {
    root,
    dataDir,
    cluster,
    async start() {
      const server = await startEmbedded({ dataDir, log: silent, isDurable: false });
      onTestFinished(async () => {
        await server.stop();
        expect(readPostmaster(cluster)).toBeUndefined();
      });
      return server;
    },
  };
}

/** The column `answer` of a query's first row. */
export async function ask(url: string, query = "select current_setting('data_checksums') as answer"): Promise<unknown> {
  const sql = postgres(url, { max: 1, connect_timeout: 5 });
  try {
    const [row] = await sql.unsafe(query);
    return row?.["answer"];
  } finally {
    await sql.end({ timeout: 1 });
  }
}
