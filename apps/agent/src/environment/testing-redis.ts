import { execFile } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { promisify } from "node:util";
import type Docker from "dockerode";

const run = promisify(execFile);

/** The image of a real Redis, made from this machine's. */
export const redisImage = "drover-test-redis:1";

/** Why no image of Redis can be made here, or nothing. In CI that is an error. */
export function whyNoRedis(): string | undefined {
  if (redisServer !== undefined) return undefined;
  const why = "a real Redis needs redis-server of this machine (Debian: redis-server)";
  if (process.env["CI"] === "true") throw new Error(why);
  return why;
}

/** Imports the program and its libraries as an image where it is missing. */
export async function ensureRedisImage(docker: Docker): Promise<void> {
  if (redisServer === undefined) throw new Error("Expected redis-server on this machine.");
  const images = await docker.listImages({ filters: { reference: [redisImage] } });
  if (images.length > 0) return;
  const folder = await mkdtemp(join(tmpdir(), "drover-redis-"));
  try {
    const { stdout } = await run("ldd", [redisServer]);
    const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
    const root = join(folder, "root");
    for (const path of [redisServer, ...libraries]) {
      await mkdir(join(root, dirname(path)), { recursive: true });
      await copyFile(path, join(root, path));
    }
    await mkdir(join(root, "data"));
    await run("tar", ["-C", root, "-cf", join(folder, "root.tar"), "."]);
    const [repo, tag] = redisImage.split(":");
    const stream = await docker.importImage(createReadStream(join(folder, "root.tar")), { repo, tag });
    stream.resume();
    await finished(stream);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const redisServer = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].find((path) => existsSync(path));
