import { realpath, stat } from "node:fs/promises";
import { isAbsolute, sep } from "node:path";
import type Docker from "dockerode";
import type { Mount } from "@drover/domain/execution";

/** Either what to mount, or why it is refused, as a sentence. */
export type MountCheck = { ok: true; mounts: Docker.MountSettings[] } | { ok: false; message: string };

/**
 * Checks a task's mounts: each must be a file or folder that, with every link followed, lies below one of
 * the allowed paths and does not touch the folders of other tasks. What is mounted is the followed path; who
 * may write to the host's allowed paths could still exchange a folder in it before the engine mounts it.
 */
export async function checkMounts(
  mounts: readonly Mount[],
  rules: { allowedHostPaths: readonly string[]; taskBase: string },
): Promise<MountCheck> {
  const checked: Docker.MountSettings[] = [];
  const allowed = await followAll(rules.allowedHostPaths);
  const closed = await followAll([rules.taskBase]);
  for (const { hostPath, mountPath, readOnly = false } of mounts) {
    const refuse = (why: string): MountCheck => ({
      ok: false,
      message: `The mount of ${JSON.stringify(hostPath)} is refused: ${why}.`,
    });
    if (typeof hostPath !== "string" || !isAbsolute(hostPath)) return refuse("expected an absolute path");
    const path = await follow(hostPath);
    if (path === undefined) return refuse("it does not exist on this node");
    if (!allowed.some((root) => isBelow(path, root))) {
      const list = rules.allowedHostPaths.length === 0 ? "none" : rules.allowedHostPaths.join(", ");
      return refuse(`it leads to ${path}, and the paths that this node allows are: ${list}`);
    }
    if (closed.some((base) => isBelow(path, base) || isBelow(base, path))) {
      return refuse("it holds the folders of other tasks");
    }
    const facts = await stat(path);
    if (!facts.isDirectory() && !facts.isFile()) return refuse("expected a file or a folder");
    checked.push({ Type: "bind", Source: path, Target: mountPath, ReadOnly: readOnly });
  }
  return { ok: true, mounts: checked };
}

async function followAll(paths: readonly string[]): Promise<string[]> {
  const followed = await Promise.all(paths.map(follow));
  return followed.filter((path) => path !== undefined);
}

async function follow(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined; // Missing, or behind a folder that we may not pass: nothing to mount either way.
  }
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
