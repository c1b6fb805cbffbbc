import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { createReadStream } from "node:fs";
import { promisify } from "node:util";
import type Docker from "dockerode";
import { connect } from "./connect.ts";

const run = promisify(execFile);

/** The image that tests run: one static program with its links, made from this machine. */
export const testImage = "drover-test-busybox:1";

/** A reachable engine with the test image in it, or why there is none. In CI a missing engine is an error. */
export async function findTestEngine(
  host = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock",
): Promise<{ host: string; docker: Docker; missing: undefined } | { missing: string; host: string }> {
  const docker = connect({ host });
  try {
    await docker.ping();
    await ensureTestImage(docker);
    return { host, docker, missing: undefined };
  } catch (error) {
    const missing = `no usable container engine at ${host}: ${String(error)}`;
    if (process.env["CI"] === "true") throw new Error(missing, { cause: error });
    return { missing, host };
  }
}

/** Imports the test image where it is missing. */
export async function ensureTestImage(docker: Docker): Promise<void> {
  const images = await docker.listImages({ filters: { reference: [testImage] } });
  if (images.length > 0) return;
  const folder = await mkdtemp(join(tmpdir(), "drover-image-"));
  try {
    const archive = await packTestRoot(folder);
    const [repo, tag] = testImage.split(":");
    const stream = await docker.importImage(createReadStream(archive), { repo, tag });
    stream.resume();
    await finished(stream);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Packs a root file system around the machine's static busybox; answers with the archive's path. */
export async function packTestRoot(folder: string): Promise<string> {
  const busybox = ["/usr/bin/busybox", "/bin/busybox"].find((path) => existsSync(path));
  if (busybox === undefined) throw new Error("Expected a static busybox on this machine; install busybox-static.");
  const root = join(folder, "root");
  for (const name of ["bin", "tmp", "etc", "home"]) await mkdir(join(root, name), { recursive: true });
  await copyFile(busybox, join(root, "bin/busybox"));
  const { stdout } = await run(busybox, ["--list"]);
  const names = stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
  for (const name of names) await symlink("busybox", join(root, "bin", name));
  const archive = join(folder, "root.tar");
  await run("tar", ["-C", root, "-cf", archive, "."]);
  return archive;
}
