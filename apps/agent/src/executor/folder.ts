import { chmod, chown, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { RunRequest } from "./executor.ts";

/** The file in the working directory that holds the task's payload. */
export const payloadFile = "payload.json";

export interface FolderOptions {
  /** Where all attempts of this agent have their folders. */
  base: string;
  /** Who the task runs as, where that is known; otherwise anybody inside the container may write. */
  owner?: { uid: number; gid: number };
}

/** The working directory of an attempt on this host. */
export function folderOf(base: string, request: RunRequest): string {
  const tenant = request.execution.tenant ?? request.namespace;
  return join(base, segment(tenant, "default"), `${segment(request.taskId, "task")}-${request.fence}`);
}

/**
 * Creates the working directory of an attempt and writes the payload into it.
 * The folder is open to the unknown user of an image, the closed parent keeps the host's other users out;
 * a known owner gets it alone, below a parent that he can pass.
 */
export async function prepareFolder(options: FolderOptions, request: RunRequest): Promise<string> {
  const { base, owner } = options;
  const folder = folderOf(base, request);
  const tenantFolder = join(folder, "..");
  await mkdir(folder, { recursive: true });
  const passable = owner === undefined ? 0o700 : 0o711;
  await chmod(tenantFolder, passable);
  if (owner === undefined) {
    await chmod(folder, 0o777);
  } else {
    await chmod(base, passable);
    await chown(folder, owner.uid, owner.gid);
    await chmod(folder, 0o700);
  }
  await writePayload(join(folder, payloadFile), request.payload);
  return folder;
}

/** Removes the folders of attempts that are neither held nor touched since `keepSeconds`. */
export async function sweepFolders(base: string, held: ReadonlySet<string>, keepSeconds: number): Promise<string[]> {
  const heldFences = new Set([...held].map((key) => key.slice(key.lastIndexOf("-") + 1)));
  const removed: string[] = [];
  for (const tenant of await list(base)) {
    for (const name of await list(join(base, tenant))) {
      if (heldFences.has(name.slice(name.lastIndexOf("-") + 1))) continue;
      const folder = join(base, tenant, name);
      // Another executor may sweep the same base at this moment.
      const facts = await stat(folder).catch(() => undefined);
      if (facts === undefined || Date.now() - facts.mtimeMs < keepSeconds * 1000) continue;
      await rm(folder, { recursive: true, force: true });
      removed.push(folder);
    }
  }
  return removed;
}

// One path segment from a client's text: no separator, no leading dot. The fence keeps two of them apart.
function segment(text: string, otherwise: string): string {
  const safe = text
    .replace(/[^A-Za-z0-9._-]/g, "_")
    .replace(/^\.+/, "_")
    .slice(0, 120);
  return safe === "" ? otherwise : safe;
}

// A task that ran here before may have left a link under this name: never write through it.
async function writePayload(path: string, payload: unknown): Promise<void> {
  await rm(path, { recursive: true, force: true });
  const file = await open(path, "wx", 0o644);
  try {
    await file.chmod(0o644);
    await file.writeFile(JSON.stringify(payload ?? null));
  } finally {
    await file.close();
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
