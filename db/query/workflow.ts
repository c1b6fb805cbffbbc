import type { Definition, WorkflowFormat } from "@drover/domain/workflow/definition";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

export interface WorkflowRow {
  name: string;
  version_id: number;
  workflow_id: number;
  number: number;
  format: WorkflowFormat;
  source: string;
  definition: Definition;
  actor: string;
  created_at: Date;
  first_created_at: Date;
  updated_at: Date;
}

export interface NewVersion {
  namespaceId: number;
  name: string;
  format: WorkflowFormat;
  source: string;
  definition: Definition;
  actor: string;
}

/**
 * Saves a version unless the newest one is equal. Two that apply the same workflow at once wait for each other, so
 * numbers have no gaps.
 */
export async function saveVersion(tx: Executor, version: NewVersion): Promise<{ number: number; created: boolean }> {
  const { namespaceId, name, format, source, actor } = version;
  await tx.run(sql`
    insert into drover.workflow (namespace_id, name) values (${namespaceId}, ${name})
    on conflict on constraint workflow_name_is_unique do nothing`);
  const [found] = await tx.run<{ id: number; newest_version: number; is_equal: boolean | null }>(sql`
    select w.id, w.newest_version,
           (select v.source = ${source} and v.format = ${format} and v.definition::text = ${JSON.stringify(version.definition)}
              from drover.workflow_version v where v.workflow_id = w.id and v.number = w.newest_version) as is_equal
      from drover.workflow w
     where w.namespace_id = ${namespaceId} and w.name = ${name}
       for update of w`);
  if (found === undefined) throw new Error(`workflow ${name} vanished while it was locked`);
  if (found.is_equal === true) return { number: found.newest_version, created: false };
  const number = found.newest_version + 1;
  await tx.run(sql`
    insert into drover.workflow_version (workflow_id, number, format, source, definition, actor)
    values (${found.id}, ${number}, ${format}, ${source}, ${JSON.stringify(version.definition)}::json, ${actor})`);
  await tx.run(sql`
    update drover.workflow set newest_version = ${number}, updated_at = now() where id = ${found.id}`);
  await tx.run(sql`
    insert into drover.event (id, namespace_id, kind, actor, data)
    values (drover.next_id(), ${namespaceId}, 'workflow.applied', ${actor},
      ${JSON.stringify({ workflow: name, version: number })}::json)`);
  return { number, created: true };
}

const versions = sql`
  select w.name, v.id as version_id, v.workflow_id, v.number, v.format, v.source, v.definition, v.actor, v.created_at,
         w.created_at as first_created_at, w.updated_at
    from drover.workflow_version v
    join drover.workflow w on w.id = v.workflow_id`;

/** A version of a workflow by name; without a number the newest. */
export async function findVersion(
  db: Executor,
  namespaceId: number,
  name: string,
  number?: number,
): Promise<WorkflowRow | undefined> {
  const [row] = await db.run<WorkflowRow>(sql`${versions}
     where w.namespace_id = ${namespaceId} and w.name = ${name} and v.number = coalesce(${number ?? null}::integer, w.newest_version)`);
  return row;
}

/** A version by its key. */
export async function getVersion(db: Executor, versionId: number): Promise<WorkflowRow | undefined> {
  const [row] = await db.run<WorkflowRow>(sql`${versions} where v.id = ${versionId}`);
  return row;
}

/** Every version of a workflow, newest first. */
export function listVersions(db: Executor, namespaceId: number, name: string): Promise<WorkflowRow[]> {
  return db.run(sql`${versions}
     where w.namespace_id = ${namespaceId} and w.name = ${name}
     order by v.number desc`);
}

/** Workflows in their newest version, by name, after one. */
export function listWorkflows(db: Executor, namespaceId: number, after: string, limit: number): Promise<WorkflowRow[]> {
  return db.run(sql`${versions}
     where w.namespace_id = ${namespaceId} and w.name > ${after} and v.number = w.newest_version
     order by w.name
     limit ${limit}`);
}
