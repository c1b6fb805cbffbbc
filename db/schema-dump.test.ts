import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { dumpSchema } from "./schema-dump.ts";
import { createTestDatabase, runOn } from "./testing.ts";

it("is what schema.sql holds; otherwise run npm run generate", async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  expect(await dumpSchema(database)).toBe(readFileSync(join(import.meta.dirname, "schema.sql"), "utf8"));
});

it("tells of a column, an index, a function and a grant that nobody committed, and not of a new week", async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const before = await dumpSchema(database);
  await runOn(database.url, "select drover.ensure_partitions(9)");
  expect(await dumpSchema(database)).toBe(before);
  await runOn(
    database.url,
    `alter table drover.class add column colour text default 'red'; create index on drover.class (colour);
     create function node.extra() returns integer language sql return 1; grant select on drover.class to drover_agent`,
  );
  const added = (await dumpSchema(database)).split("\n").filter((line) => !before.includes(line));
  expect(added).toEqual([
    `  colour text default 'red'::text,`,
    "CREATE INDEX class_colour_idx ON drover.class USING btree (colour);",
    "create function node.extra()",
    "  returns integer language sql;",
    "grant execute on function node.extra() to public;",
    "grant select on table drover.class to drover_agent;",
  ]);
});
