import postgres from "postgres";
import { expect, it, onTestFinished } from "vitest";
import { createTestDatabase } from "./testing.ts";

function connect(url: string): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  onTestFinished(() => sql.end({ timeout: 5 }));
  return sql;
}

it("gives each caller a migrated database of its own and takes it away", async () => {
  const [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const [one, two] = [connect(first.url), connect(second.url)];
  await one`create table only_here ()`;
  expect((await one`select count(*)::int as n from drover.migration`)[0]?.["n"]).toBeGreaterThan(0);
  expect((await two`select to_regclass('only_here') as found`)[0]?.["found"]).toBeNull();
  await first.drop();
  expect((await two`select from pg_database where datname = ${new URL(first.url).pathname.slice(1)}`).length).toBe(0);
  await second.drop();
});
