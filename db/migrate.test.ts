import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { openDatabase } from "./client.ts";
import { migrate } from "./migrate.ts";
import { dumpSchema } from "./schema-dump.ts";
import { runOn, withDatabase } from "./testing.ts";

const rooms = ["migrations", "routine", "node"];

/** An empty database, and a copy of the SQL files that a test may change. */
async function setup() {
  const { url: server } = inject("testServer");
  const name = `drover_test_migrate_${process.hrtime.bigint()}`;
  await runOn(server, `create database ${name}`);
  onTestFinished(() => runOn(server, `drop database ${name} with (force)`));
  const folder = mkdtempSync(join(tmpdir(), "drover-migrate-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const room of rooms) {
    cpSync(join(import.meta.dirname, room), join(folder, room), {
      recursive: true,
      filter: (path) => !path.endsWith(".ts"),
    });
  }
  const url = withDatabase(server, name);
  const db = openDatabase({ url, maxConnections: 2 });
  onTestFinished(() => db.close({ timeoutSeconds: 1 }));
  return { url, folder, db };
}

const append = (folder: string, file: string, text: string) =>
  writeFileSync(join(folder, file), readFileSync(join(folder, file), "utf8") + text);

/** What a fresh database gets: every migration, then the routines. */
const all = [
  ...readdirSync(join(import.meta.dirname, "migrations"))
    .toSorted()
    .map((file) => `migrations/${file}`),
  "routines",
];

describe("migrate", () => {
  it("applies every file once, and nothing the second time", async () => {
    const { url, db } = await setup();
    const log: string[] = [];
    const { applied } = await migrate({ url, log: (line) => log.push(line) });
    expect(applied).toEqual(all);
    expect(log).toHaveLength(all.length);
    expect(await migrate({ url })).toEqual({ applied: [] });
    expect(await db.run(sql`select name from drover.class order by name`)).toHaveLength(5);
  });

  it("takes its grants to functions that were just made, and leaves nothing to the public", async () => {
    const { url, db } = await setup();
    await migrate({ url });
    const first = await dumpSchema({ url });
    expect(first).toContain("grant execute on function node.sync");
    expect(first).not.toContain("to public");
    const [may] = await db.run(
      sql`select has_database_privilege('drover_agent', current_database(), 'temporary') as temporary`,
    );
    expect(may).toEqual({ temporary: false });
    // A second application, as after any change, ends in the same state.
    await db.run(sql`delete from drover.migration where name = 'routines'`);
    await migrate({ url });
    expect(await dumpSchema({ url })).toBe(first);
  });

  it("switches the plan compiler off for every session of the database", async () => {
    const { url, db } = await setup();
    await migrate({ url });
    expect(
      await db.run(sql`select setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase and s.setrole = 0
        where d.datname = current_database()`),
    ).toEqual([{ setconfig: ["jit=off"] }]);
  });

  it("may be started by many processes at once, on one database and on several of a server", async () => {
    const [one, two] = await Promise.all([setup(), setup()]);
    const results = await Promise.all([one.url, one.url, two.url, one.url, two.url].map((url) => migrate({ url })));
    expect(results.map((result) => result.applied.length).toSorted((a, b) => a - b)).toEqual([
      0,
      0,
      0,
      all.length,
      all.length,
    ]);
  });

  it("refuses a migration that was edited after it had been applied, and says what to do", async () => {
    const { url, folder } = await setup();
    await migrate({ url, folder });
    append(folder, "migrations/0001_foundation.sql", "\n-- an afterthought\n");
    await expect(migrate({ url, folder })).rejects.toMatchObject({
      reason: "conflict",
      message: expect.stringContaining("0001_foundation.sql"),
      facts: { hint: expect.stringContaining("write a new one") },
    });
  });

  it("applies the functions again when one of them changed", async () => {
    const { url, folder, db } = await setup();
    await migrate({ url, folder });
    append(
      folder,
      "routine/sweep.sql",
      "\ncreate or replace function drover.extra() returns integer language sql return 7;\n",
    );
    expect(await migrate({ url, folder })).toEqual({ applied: ["routines"] });
    expect(await db.run(sql`select drover.extra() as n`)).toEqual([{ n: 7 }]);
  });

  it("leaves nothing of a migration that fails, and goes on from there once it is mended", async () => {
    const { url, folder, db } = await setup();
    await migrate({ url, folder });
    const file = join(folder, "migrations", "0003_broken.sql");
    writeFileSync(file, "create table drover.half (n integer); select 1 / 0;");
    await expect(migrate({ url, folder })).rejects.toMatchObject({ code: "22012" });
    expect(await db.run(sql`select to_regclass('drover.half') as found`)).toEqual([{ found: null }]);
    writeFileSync(file, "create table drover.half (n integer);");
    expect((await migrate({ url, folder })).applied).toEqual(["migrations/0003_broken.sql"]);
  });

  it("gives up after 5 s where a table is locked, instead of holding up everyone behind it", async () => {
    const { url, folder, db } = await setup();
    await migrate({ url, folder });
    writeFileSync(join(folder, "migrations", "0003_wide.sql"), "alter table drover.task add column extra integer;");
    await db.transaction(async (reader) => {
      await reader.run(sql`select count(*) from drover.task`);
      await expect(migrate({ url, folder })).rejects.toMatchObject({ code: "55P03" });
    });
    expect((await migrate({ url, folder })).applied).toEqual(["migrations/0003_wide.sql"]);
  });

  it("leaves the functions of a newer release alone, so that an older one may start beside it", async () => {
    const { url, folder, db } = await setup();
    writeFileSync(join(folder, "migrations", "0003_newer.sql"), "create table drover.newer (n integer);");
    append(
      folder,
      "routine/sweep.sql",
      "\ncreate or replace function drover.extra() returns integer language sql return 7;\n",
    );
    await migrate({ url, folder });
    const log: string[] = [];
    expect(await migrate({ url, log: (line) => log.push(line) })).toEqual({ applied: [] });
    expect(log.join()).toContain("newer");
    const [routines] = await db.run<{ hash: string }>(sql`select hash from drover.migration where name = 'routines'`);
    await migrate({ url, folder });
    expect(await db.run(sql`select hash from drover.migration where name = 'routines'`)).toEqual([routines]);
  });
});
