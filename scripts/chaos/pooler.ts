import { chownSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freePort, type World } from "./world.ts";

const nobody = 65_534;
const programs = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];

/** Why no PgBouncer can be started here; in CI that is an error. */
export function whyNoPooler(): string | undefined {
  if (programs.some((path) => existsSync(path))) return undefined;
  const why = "needs pgbouncer";
  if (process.env["CI"] === "true") throw new Error(why);
  return why;
}

/** Starts a PgBouncer in transaction mode before the server of these URLs; gives the way through it. */
export async function startPooler(world: World, urls: string[]): Promise<(url: string) => string> {
  const command = programs.find((path) => existsSync(path)) ?? "pgbouncer";
  const port = await freePort();
  const folder = join(world.folder, "pooler");
  mkdirSync(folder);
  const [first = ""] = urls;
  const server = new URL(first);
  const users = urls
    .map((url) => new URL(url))
    .map(({ username, password }) => `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"`);
  writeFileSync(join(folder, "users.txt"), `${users.join("\n")}\n`);
  writeFileSync(
    join(folder, "pgbouncer.ini"),
    [
      "[databases]",
      `* = host=${server.hostname} port=${server.port}`,
      "[pgbouncer]",
      `listen_addr = 127.0.0.1`,
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = scram-sha-256",
      `auth_file = ${join(folder, "users.txt")}`,
      "pool_mode = transaction",
      // Fewer servers than clients have connections, so that each is shared.
      "default_pool_size = 3",
      "",
    ].join("\n"),
  );
  const isRoot = userInfo().uid === 0;
  // It refuses to run as root.
  if (isRoot) for (const name of ["", "users.txt", "pgbouncer.ini"]) chownSync(join(folder, name), nobody, nobody);
  const pooler = world.spawn({
    name: "pgbouncer",
    command,
    args: [join(folder, "pgbouncer.ini")],
    ...(isRoot && { uid: nobody }),
  });
  await pooler.says("process up");
  return (url) => {
    const through = new URL(url);
    through.host = `127.0.0.1:${port}`;
    return through.href;
  };
}
