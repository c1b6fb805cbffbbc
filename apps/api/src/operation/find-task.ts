import { findKeys } from "@drover/db/query/task";
import { DroverError } from "@drover/domain/error";
import { formatTaskKey, parseTaskKey } from "@drover/domain/task-id";
import type { Caller, Deps } from "./context.ts";

/** The keys of ids, as clients know them; ids that nobody chose are read, not looked up. */
export async function findTaskKeys(deps: Deps, caller: Caller, ids: readonly string[]): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  const names: string[] = [];
  for (const id of ids) {
    const key = parseTaskKey(id);
    if (key === undefined) names.push(id);
    else keys.set(id, key.toString());
  }
  if (names.length > 0) {
    const namespaceId = await deps.directory.namespaceId(caller.namespace);
    for (const [name, key] of await findKeys(deps.db, namespaceId, names)) keys.set(name, key);
  }
  return keys;
}

/** The key of one id; throws `not_found`. */
export async function findTaskKey(deps: Deps, caller: Caller, id: string): Promise<string> {
  const key = (await findTaskKeys(deps, caller, [id])).get(id);
  if (key === undefined) throw taskNotFound(id);
  return key;
}

/** The id that clients know a task by. */
export function taskIdOf(task: { key: string; name: string | null }): string {
  return task.name ?? formatTaskKey(BigInt(task.key));
}

export function taskNotFound(id: string): DroverError {
  return new DroverError("not_found", `There is no task "${id}".`, { hint: 'List the tasks with "drover task list".' });
}
