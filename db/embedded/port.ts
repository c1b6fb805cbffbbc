import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { DroverError } from "@drover/domain/error";

/** Chooses the server's port on 127.0.0.1: the wanted one, else the one it had last time, else any free one. */
export async function choosePort(dataDir: string, wanted?: number): Promise<number> {
  if (wanted !== undefined) {
    if (await freePort(wanted)) return wanted;
    throw new DroverError(
      "unavailable",
      `Expected port ${wanted} of 127.0.0.1 to be free for PostgreSQL, another process listens there. Choose another port, or none.`,
    );
  }
  const file = join(dataDir, "postgres.port");
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const port = (last > 0 && last < 65536 && (await freePort(last))) || (await freePort(0));
  if (!port) throw new DroverError("unavailable", "Expected a free port on 127.0.0.1 for PostgreSQL, got none.");
  rememberPort(dataDir, port);
  return port;
}

/** Keeps the port for the next start, so that addresses in people's shells stay true. */
export function rememberPort(dataDir: string, port: number): void {
  writeFileSync(join(dataDir, "postgres.port"), `${port}\n`);
}

async function freePort(port: number): Promise<number | undefined> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}
