import type { Executor } from "@drover/db/client";
import { getVersion } from "@drover/db/query/workflow";
import type { Definition } from "@drover/domain/workflow/definition";

export interface KnownVersion {
  name: string;
  workflowId: number;
  number: number;
  format: string;
  definition: Definition;
}

/** Versions by key. They never change, so what is remembered is never wrong. */
export type DefinitionCache = (db: Executor, versionId: number) => Promise<KnownVersion>;

/** A cache of the versions that were used last. */
export function createDefinitionCache({ maxEntries = 500 }: { maxEntries?: number } = {}): DefinitionCache {
  const known = new Map<number, KnownVersion>();
  return async (db, versionId) => {
    const found = known.get(versionId) ?? (await load(db, versionId));
    known.delete(versionId);
    known.set(versionId, found);
    const [oldest] = known.keys();
    if (known.size > maxEntries && oldest !== undefined) known.delete(oldest);
    return found;
  };
}

async function load(db: Executor, versionId: number): Promise<KnownVersion> {
  const row = await getVersion(db, versionId);
  if (row === undefined) throw new Error(`workflow version ${versionId} is gone though runs of it are open`);
  const { name, workflow_id: workflowId, number, format, definition } = row;
  return { name, workflowId, number, format, definition };
}
