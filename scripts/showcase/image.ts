import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { finished } from "node:stream/promises";
import { promisify } from "node:util";
import type { connect } from "../../apps/agent/src/docker/connect.ts";

/** The programs that the tasks call. */
export const tools = ["sh", "awk", "cat", "sha256sum", "sort", "tr", "uniq", "wc"];

const run = promisify(execFile);

/** Makes an image from this machine's own tools; answers with what it was made from. */
export async function buildImage(
  docker: ReturnType<typeof connect>,
  image: string,
  folder: string,
  path: string,
): Promise<string> {
  const stage = join(folder, "image");
  const archive = `${stage}.tar`;
  try {
    const source = await stageRoot(stage, path);
    await run("tar", ["-C", stage, "-cf", archive, "."]);
    const [repo, tag] = image.split(":");
    const stream = await docker.importImage(createReadStream(archive), { repo, tag });
    stream.resume();
    await finished(stream);
    return source;
  } finally {
    for (const left of [stage, archive]) rmSync(left, { recursive: true, force: true });
  }
}

/** Lays a root file system: busybox where this machine has a complete one, else the tools themselves, with their libraries. */
export async function stageRoot(stage: string, path: string): Promise<string> {
  for (const name of ["bin", "tmp", "etc"]) mkdirSync(join(stage, name), { recursive: true });
  const busybox = findProgram("busybox", path);
  if (busybox !== undefined) {
    const { stdout } = await run(busybox, ["--list"]);
    const applets = new Set(stdout.split("\n"));
    if (tools.every((name) => applets.has(name))) {
      await copyProgram(stage, "busybox", busybox);
      for (const name of tools) symlinkSync("busybox", join(stage, "bin", name));
      return "this machine's busybox";
    }
  }
  for (const name of tools) {
    const program = findProgram(name, path);
    if (program === undefined) throw new Error(`this machine has no ${name}`);
    await copyProgram(stage, name, program);
  }
  return "this machine's shell and coreutils";
}

async function copyProgram(stage: string, name: string, program: string): Promise<void> {
  place(program, join(stage, "bin", name));
  for (const library of await librariesOf(program)) {
    const target = join(stage, library);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    place(library, target);
  }
}

/** What the loader would load with it; nothing for a static program. */
async function librariesOf(program: string): Promise<string[]> {
  if (!readFileSync(program).subarray(0, 4).equals(Buffer.from("\u007FELF", "latin1"))) return [];
  const { stdout } = await run("ldd", [program]).catch(() => ({ stdout: "" }));
  return parseLibraries(stdout);
}

/**
 * Reads the paths from what ldd prints.
 * @example parseLibraries("libc.so.6 => /lib/libc.so.6 (0x7f)\n/lib64/ld.so (0x7e)") // ["/lib/libc.so.6", "/lib64/ld.so"]
 */
export function parseLibraries(text: string): string[] {
  return text.split("\n").flatMap((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function place(from: string, to: string): void {
  copyFileSync(realpathSync(from), to);
  chmodSync(to, 0o755);
}

function findProgram(name: string, path: string): string | undefined {
  const folders = path.split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, name)).find(existsSync);
}
