import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { vi } from "vitest";

const nobody = 65_534;

/** Whether PgBouncer is installed. */
export const hasPooler = ((): boolean => {
  try {
    execFileSync("pgbouncer", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** Starts a PgBouncer in transaction mode before a database, with few server connections for many clients. */
export async function startPooler({
  url,
  poolSize = 4,
}: {
  url: string;
  poolSize?: number;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const target = new URL(url);
  const name = target.pathname.slice(1);
  const password = target.password === "" ? "" : ` password=${decodeURIComponent(target.password)}`;
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "drover-pooler-"));
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(
    file,
    `[databases]
${name} = host=${target.hostname} port=${target.port} dbname=${name} user=${target.username}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 200
`,
  );
  chmodSync(folder, 0o755);
  chmodSync(file, 0o644);
  // It refuses to run as root.
  const account = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const child = spawn("pgbouncer", ["--quiet", file], { stdio: "ignore", cwd: "/", ...account });
  const ended = once(child, "exit");
  const pooled = new URL(url);
  pooled.hostname = "127.0.0.1";
  pooled.port = String(port);
  await vi.waitFor(() => connect(pooled.href), { timeout: 10_000 });
  return {
    url: pooled.href,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

async function connect(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, prepare: false, fetch_types: false, connect_timeout: 2 });
  try {
    await sql`select 1`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("expected a TCP port");
  return address.port;
}
