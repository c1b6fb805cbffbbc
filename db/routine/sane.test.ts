import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase } from "../client.ts";
import { createTestDatabase, type TestDatabase } from "../testing.ts";

let house: TestDatabase;
let db: Database;
beforeAll(async () => {
  house = await createTestDatabase();
  db = openDatabase({ url: house.url, maxConnections: 1 });
});
afterAll(async () => {
  await db.close();
  await house.drop();
});

const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));

it.each([
  [
    { cpu_short: 4, gpu: 0 },
    { cpu_short: 4, gpu: 0 },
  ],
  [{ a: "4", b: 1.5, c: 1e12, d: -1, e: null, f: { g: 1 }, h: 10001, i: 10000 }, { i: 10000 }],
  [null, {}],
  [[1], {}],
  [undefined, {}],
])("of slots %j these are kept: %j", async (told, kept) => {
  expect(await db.run(sql`select drover.sane_slots(${json(told)}::jsonb) as kept`)).toEqual([{ kept }]);
});

it("of facts texts are kept, and numbers in them only where they are numbers", async () => {
  const told = {
    hostname: "a",
    cpu_cores: "abc",
    memory_bytes: "99999999999999999999",
    disk_bytes: "270553174016",
    gpu_count: 2,
    docker_version: "x".repeat(2000),
    nested: { a: 1 },
  };
  expect(await db.run(sql`select drover.sane_facts(${json(told)}::jsonb) as kept`)).toEqual([
    { kept: { hostname: "a", disk_bytes: "270553174016", docker_version: "x".repeat(1000) } },
  ]);
  expect(await db.run(sql`select drover.sane_facts('"x"'::jsonb) as kept`)).toEqual([{ kept: {} }]);
});

it.each([
  ["abc", []],
  [[null, 1, "x", {}, { containerPort: 1 }], []],
  [
    [
      { containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1", protocol: "tcp" },
      { containerPort: 1e20, hostPort: 1, hostIp: "", protocol: "tcp" },
      { containerPort: 80, hostPort: 65_536, hostIp: "", protocol: "tcp" },
    ],
    [{ containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1", protocol: "tcp" }],
  ],
])("of ports %j these are kept: %j", async (told, kept) => {
  expect(await db.run(sql`select drover.sane_ports(${json(told)}::json) as kept`)).toEqual([{ kept }]);
});

it.each([["infinity"], ["-infinity"], ["294276-01-01"], ["0044-03-15 BC"]])(
  "%s is no time of a clock",
  async (time) => {
    expect(await db.run(sql`select drover.sane_time(${time}::text::timestamptz) as kept`)).toEqual([{ kept: null }]);
  },
);
