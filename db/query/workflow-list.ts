import type { Definition, WorkflowFormat } from "@drover/domain/workflow/definition";
import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";

/** A workflow in its newest version, without the source. */
export interface NewestRow {
  name: string;
  number: number;
  format: WorkflowFormat;
  definition: Definition;
  created_at: Date;
  updated_at: Date;
}

/** Workflows in their newest version, those saved last first. */
export function listNewest(db: Executor, namespaceId: number, limit: number): Promise<NewestRow[]> {
  return db.run(sql`
    select w.name, v.number, v.format, v.definition, w.created_at, w.updated_at
      from drover.workflow w
      join drover.workflow_version v on v.workflow_id = w.id and v.number = w.newest_version
     where w.namespace_id = ${namespaceId}
     order by w.updated_at desc, w.id desc
     limit ${limit}`);
}

/** Numbers and times of the versions before the newest one, newest first. */
export function listFormerVersions(
  db: Executor,
  namespaceId: number,
  name: string,
  limit: number,
): Promise<{ number: number; created_at: Date }[]> {
  return db.run(sql`
    select v.number, v.created_at
      from drover.workflow w
      join drover.workflow_version v on v.workflow_id = w.id and v.number < w.newest_version
     where w.namespace_id = ${namespaceId} and w.name = ${name}
     order by v.number desc
     limit ${limit}`);
}

/** The newest version of a workflow by name: its key and format. */
export async function findNewest(
  db: Executor,
  namespaceId: number,
  name: string,
): Promise<{ version_id: number; format: WorkflowFormat } | undefined> {
  const [row] = await db.run<{ version_id: number; format: WorkflowFormat }>(sql`
    select v.id as version_id, v.format
      from drover.workflow w
      join drover.workflow_version v on v.workflow_id = w.id and v.number = w.newest_version
     where w.namespace_id = ${namespaceId} and w.name = ${name}`);
  return row;
}

/** Notes that a workflow was saved again, though nothing in it changed. */
export async function touchWorkflow(tx: Executor, namespaceId: number, name: string): Promise<void> {
  await tx.run(sql`
    update drover.workflow set updated_at = clock_timestamp() where namespace_id = ${namespaceId} and name = ${name}`);
}

/** How many workflows are stored. */
export async function countWorkflows(db: Executor): Promise<number> {
  const [row] = await db.run<{ count: string }>(sql`select count(*) as count from drover.workflow`);
  return Number(row?.count ?? 0);
}
