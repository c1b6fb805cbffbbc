import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";

const run = promisify(execFile);

/** An image with this machine's own Python and nothing else, so that no registry is needed. */
export const pythonImage = "drover-test-python:1";

/** Makes the image on an engine, unless it is there. */
export async function ensurePythonImage(host: string): Promise<void> {
  const docker = new Docker({ socketPath: host.replace("unix://", "") });
  const images = await docker.listImages({ filters: { reference: [pythonImage] } });
  if (images.length > 0) return;
  const folder = await mkdtemp(join(tmpdir(), "drover-python-"));
  try {
    const archive = await packPython(folder);
    const [repo, tag] = pythonImage.split(":");
    await docker.importImage(archive, { repo, tag });
    // The import answers before the image is named.
    await docker.getImage(pythonImage).inspect();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function packPython(folder: string): Promise<string> {
  const python = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  const ask = "import os, sys; print(os.path.realpath(sys.executable)); print(os.path.dirname(os.__file__))";
  const { stdout } = await run(python, ["-c", ask]);
  const [executable = "", library = ""] = stdout.trim().split("\n");
  const { stdout: linked } = await run("ldd", [executable]);
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? "");
  const root = join(folder, "root");
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await mkdir(join(root, "tmp"));
  for (const name of ["python", "python3"]) await symlink(executable, join(root, "usr/bin", name));
  const archive = join(folder, "python.tar");
  const files = [executable, library, ...libraries].map((path) => path.slice(1));
  const without = ["__pycache__", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "dist-packages"];
  const excluded = without.map((name) => `--exclude=${name}`);
  await run("tar", ["-C", root, "-cf", archive, "usr", "tmp"]);
  // Libraries are links on most systems; where they stand, the file itself is needed.
  await run("tar", ["-C", "/", "--dereference", ...excluded, "-rf", archive, ...new Set(files)]);
  return archive;
}
