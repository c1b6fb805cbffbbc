import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Transport } from "@connectrpc/connect";
import { readPostmaster, stopPostmaster } from "@drover/db/embedded/postmaster";
import { onTestFinished } from "vitest";
import { type Child, type ChildOptions, startChild } from "./child.ts";

const root = resolve(import.meta.dirname, "../..");

export interface Api {
  url: string;
  /** A fresh HTTP/2 client. */
  transport(): Transport;
  /** Starts it (again), and resolves when it serves. */
  start(): Promise<Child>;
  /** The process that was started last. */
  readonly process: Child;
}

export interface ApiOptions {
  /** Absent: the embedded server in the world's folder. */
  databaseUrl?: string;
  env?: Record<string, string>;
}

/** Where a test's processes live; when it is disposed of, nothing of them is left. */
export interface World extends AsyncDisposable {
  folder: string;
  /** Unique, in the form that node names need. */
  name(what: string): string;
  /** Data folder of the embedded server. */
  dataDir: string;
  /** The embedded server's superuser, once an API has made it. */
  embeddedUrl(): string;
  spawn(options: ChildOptions): Child;
  /** Declares an API on a port that stays its own. */
  api(options?: ApiOptions): Promise<Api>;
  agent(options: AgentOptions): Child;
  worker(options: WorkerOptions): Child;
  /** Ended before the processes are. */
  defer(dispose: () => PromiseLike<void> | void): void;
}

export interface AgentOptions {
  node: string;
  databaseUrl: string;
  /** The network namespace that it lives in. */
  namespace?: string;
  env?: Record<string, string>;
}

export interface WorkerOptions {
  name: string;
  types: string[];
  /** Straight to Postgres, or over RPC. */
  databaseUrl?: string;
  apiUrl?: string;
  concurrency?: number;
  prefetch?: number;
  notify?: boolean;
}

/** Leases short enough to watch them end. */
export const shortLeases = { DROVER_LEASE_SECONDS: "3s", DROVER_LEASE_MARGIN_SECONDS: "1s" };

/** Makes a world with a folder of its own; one that several tests share is disposed of by their file. */
export function createWorld({ isShared = false } = {}): World {
  const folder = mkdtempSync(join(tmpdir(), "drover-chaos-"));
  // The embedded server and the tasks run as others than us.
  chmodSync(folder, 0o755);
  const dataDir = join(folder, "data");
  const children: Child[] = [];
  const deferred: (() => PromiseLike<void> | void)[] = [];
  const tag = folder
    .slice(-6)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "x");

  const spawn = (options: ChildOptions): Child => {
    const child = startChild(options);
    children.push(child);
    return child;
  };
  const run = (name: string, file: string, env: Record<string, string>, namespace?: string) => {
    const args = ["--disable-warning=ExperimentalWarning", join(root, file)];
    if (namespace === undefined) return spawn({ name, command: "node", args, env });
    return spawn({ name, command: "nsenter", args: [`--net=${namespace}`, "node", ...args], env });
  };

  let ending: Promise<void> | undefined;
  const end = async () => {
    await Promise.all(children.map(endGently));
    for (const dispose of deferred.toReversed()) await dispose();
    const cluster = join(dataDir, "postgres");
    // An API that was killed leaves its server running for the next one.
    const orphan = readPostmaster(cluster);
    if (orphan !== undefined) await stopPostmaster(orphan.pid, cluster, 5_000);
    rmSync(folder, { recursive: true, force: true });
  };
  // A test that timed out still waits, and never gets to the end of its block.
  if (!isShared) onTestFinished(() => (ending ??= end()));

  return {
    folder,
    dataDir,
    embeddedUrl() {
      const port = readFileSync(join(dataDir, "postgres.port"), "utf8").trim();
      const password = readFileSync(join(dataDir, "postgres/drover.password"), "utf8").trim();
      return `postgres://postgres:${password}@127.0.0.1:${port}/drover`;
    },
    name: (what) => `${what}-${tag}`,
    spawn,
    async api({ databaseUrl, env = {} } = {}) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      let current: Child | undefined;
      const api: Api = {
        url,
        transport: () => createGrpcTransport({ baseUrl: url }),
        async start() {
          const child = run("the API", "apps/api/src/main.ts", {
            DROVER_LISTEN: `127.0.0.1:${port}`,
            DROVER_DATA_DIR: dataDir,
            DROVER_STOP_SECONDS: "10s",
            ...(databaseUrl !== undefined && { DROVER_DATABASE_URL: databaseUrl }),
            ...shortLeases,
            ...env,
          });
          current = child;
          await child.says(({ fields }) => fields["message"] === "listening", { timeoutMs: 30_000 });
          return child;
        },
        get process() {
          if (current === undefined) throw new Error("Expected the API to have been started; call start() first.");
          return current;
        },
      };
      await api.start();
      return api;
    },
    agent: ({ node, databaseUrl, namespace, env = {} }) =>
      run(
        `agent ${node}`,
        "apps/agent/src/main.ts",
        {
          DROVER_AGENT_NODE: node,
          DROVER_AGENT_DATABASE_URL: databaseUrl,
          DROVER_AGENT_LISTEN: "127.0.0.1:0",
          DROVER_AGENT_TASK_DIR: join(folder, "task"),
          DROVER_AGENT_MOUNTS: folder,
          DROVER_AGENT_PROCESS: "true",
          DROVER_AGENT_GRACE_SECONDS: "0s",
          DROVER_AGENT_STOP_SECONDS: "10s",
          ...env,
        },
        namespace,
      ),
    worker: ({ name, types, databaseUrl, apiUrl, concurrency = 16, prefetch = 0, notify = true }) =>
      run(`worker ${name}`, "scripts/chaos/main.ts", {
        WORKER_NAME: name,
        WORKER_TYPES: types.join(),
        WORKER_CONCURRENCY: String(concurrency),
        WORKER_PREFETCH: String(prefetch),
        WORKER_NOTIFY: String(notify),
        ...(databaseUrl !== undefined && { WORKER_DATABASE_URL: databaseUrl }),
        ...(apiUrl !== undefined && { WORKER_API_URL: apiUrl }),
      }),
    defer: (dispose) => void deferred.push(dispose),
    [Symbol.asyncDispose]: () => (ending ??= end()),
  };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((done, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => done(port));
    });
  });
}

async function endGently(child: Child): Promise<void> {
  if (!child.isAlive) return;
  child.signal("SIGCONT");
  child.signal("SIGTERM");
  const timer = setTimeout(() => child.signal("SIGKILL"), 4_000);
  await child.ended;
  clearTimeout(timer);
}
