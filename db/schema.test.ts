import { readdirSync } from "node:fs";
import { join } from "node:path";
import { is, sql } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestQueue, type TestQueue } from "./testing-queue.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

async function definedTables(): Promise<PgTable[]> {
  const names = readdirSync(join(import.meta.dirname, "schema"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.replace(/\.ts$/, ""));
  const modules = await Promise.all(names.map(async (name): Promise<object> => import(`./schema/${name}.ts`)));
  return modules.flatMap((module) => Object.values(module).filter((value): value is PgTable => is(value, PgTable)));
}

const line = (table: string, column: string, type: string, isNullable: boolean, isKey: boolean, hasDefault: boolean) =>
  `${table}.${column} ${type}${isNullable ? "" : " not null"}${isKey ? " key" : ""}${hasDefault ? " default" : ""}`;

it("describes every table of the migrated database, column by column", async () => {
  const described = (await definedTables()).flatMap((table) => {
    const { name, columns, primaryKeys } = getTableConfig(table);
    const keys = new Set(primaryKeys.flatMap((primary) => primary.columns.map((column) => column.name)));
    return columns.map((column) => {
      const isKey = column.primary || keys.has(column.name);
      // The transaction id is filled in by the database; nothing else writes events with one.
      const hasDefault = column.hasDefault || column.generatedIdentity !== undefined || column.getSQLType() === "xid8";
      return line(name, column.name, column.getSQLType(), !column.notNull, isKey, hasDefault);
    });
  });
  const rows = await house.db.run<{
    table: string;
    column: string;
    type: string;
    nullable: boolean;
    is_key: boolean;
    has_default: boolean;
  }>(sql`
    select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
           exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey)) as is_key,
           a.atthasdef or a.attidentity <> '' as has_default
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'drover'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`);
  const actual = rows.map((row) => line(row.table, row.column, row.type, row.nullable, row.is_key, row.has_default));
  expect(described.toSorted()).toEqual(actual.toSorted());
});
