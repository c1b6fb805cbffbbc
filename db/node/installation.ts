import { sql } from "drizzle-orm";
import type { Executor } from "../client.ts";
import { errorCode } from "../fault.ts";

/** Which installation of Drover a database is; undefined: one of a release that had no name for it. */
export async function findInstallation(db: Executor): Promise<string | undefined> {
  const [row] = await db.run<{ id: string }>(sql`select node.installation() as id`).catch(noneWhereUnknown);
  return row?.id;
}

/** The name of the node whose login asks; undefined: it is no node's, or the database of a release that cannot tell. */
export async function findOwnName(db: Executor): Promise<string | undefined> {
  const [row] = await db.run<{ name: string | null }>(sql`select node.own_name() as name`).catch(noneWhereUnknown);
  return row?.name ?? undefined;
}

// An agent may be newer than its database.
function noneWhereUnknown(error: unknown): [] {
  if (errorCode(error) === "42883") return [];
  throw error;
}
