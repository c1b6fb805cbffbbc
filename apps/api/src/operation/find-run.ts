import { getRun, type RunRow } from "@drover/db/query/run";
import { DroverError } from "@drover/domain/error";
import { parseRunId } from "@drover/domain/run-id";
import type { Caller, Deps } from "./context.ts";

/** A run by the id that clients know. */
export async function findRun(deps: Deps, caller: Caller, id: string): Promise<RunRow> {
  const key = parseRunId(id);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const row = key === undefined ? undefined : await getRun(deps.db, namespaceId, key);
  if (row !== undefined) return row;
  throw new DroverError("not_found", `Run "${id}" does not exist.`, {
    hint: 'List the runs with "drover run list".',
  });
}
