import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { DroverError } from "@drover/domain/error";

export interface MigrateOptions {
  /** A direct URL: migrations hold a session lock, which a transaction-mode pooler would lose. */
  url: string;
  /** Where migrations/, routine/ and node/ lie; default: beside this file. */
  folder?: string;
  log?: (line: string) => void;
}

/**
 * Brings a database to the newest schema: numbered migrations, each once and in its own transaction, then the SQL
 * functions whenever they changed, then the partitions of the coming weeks. Safe to run from many processes at once.
 *
 * A schema serves the release that brought it and the one before, so that replicas are replaced one by one: a migration
 * only adds; what a release stops using is dropped by the next one. A function whose arguments change gets a new name,
 * or both forms stay for a release (`create or replace` with other arguments makes a second function). A release that
 * changes functions brings a migration too, if only an empty one: by that an older process that starts late knows that
 * the functions are not its own, and leaves them.
 */
export async function migrate({
  url,
  folder = import.meta.dirname,
  log = () => {},
}: MigrateOptions): Promise<{ applied: string[] }> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {}, connect_timeout: 10 });
  const applied: string[] = [];
  try {
    await sql`select pg_advisory_lock(1146244950, 0)`;
    await sql`create schema if not exists drover`;
    await sql`create table if not exists drover.migration
      (name text primary key, hash text not null, applied_at timestamptz not null default now())`;
    const known = new Map(
      (await sql<{ name: string; hash: string }[]>`select name, hash from drover.migration`).map((m) => [
        m.name,
        m.hash,
      ]),
    );
    const files = readSql(folder, "migrations");
    for (const file of files) {
      const hash = known.get(file.name);
      if (hash === undefined) {
        await apply(sql, file);
        applied.push(file.name);
        log(`applied ${file.name}`);
      } else if (hash !== file.hash) {
        throw new DroverError("conflict", `Migration ${file.name} was changed after it had been applied here.`, {
          hint: "Migrations are never edited: restore the file and write a new one.",
        });
      }
    }
    const functions = [...readSql(folder, "routine"), ...readSql(folder, "node")];
    // Grants come last: they are for functions that exist.
    const routines = functions.toSorted((a, b) => Number(a.name === grants) - Number(b.name === grants));
    const together: SqlFile = {
      name: "routines",
      hash: digest(routines.map((r) => r.hash).join()),
      text: ["set local check_function_bodies = off", ...routines.map((r) => r.text)].join(";\n"),
    };
    const newer = [...known.keys()].filter(
      (name) => name.startsWith("migrations/") && !files.some((file) => file.name === name),
    );
    if (newer.length > 0) {
      log(`the database is newer (${newer.join(", ")}): its SQL functions stay as they are`);
    } else if (known.get(together.name) !== together.hash) {
      await apply(sql, together);
      applied.push(together.name);
      log(`applied ${routines.length} files of SQL functions`);
    }
    await sql`select drover.ensure_partitions()`;
    return { applied };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

const grants = "node/grant.sql";

interface SqlFile {
  name: string;
  hash: string;
  text: string;
}

function readSql(folder: string, room: string): SqlFile[] {
  return readdirSync(join(folder, room))
    .filter((name) => name.endsWith(".sql"))
    .toSorted()
    .map((name) => {
      const text = readFileSync(join(folder, room, name), "utf8");
      return { name: `${room}/${name}`, hash: digest(text), text };
    });
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** One transaction; waits at most 5 s for a lock, so that a migration never queues up behind it the traffic of the table. */
async function apply(sql: postgres.Sql, file: SqlFile): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local lock_timeout = '5s'`;
    await tx.unsafe(file.text);
    await tx`insert into drover.migration (name, hash) values (${file.name}, ${file.hash})
      on conflict (name) do update set hash = excluded.hash, applied_at = now()`;
  });
}
