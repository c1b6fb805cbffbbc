import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toArrayLiteral } from "./array.ts";
import { type Database, openDatabase } from "./client.ts";
import { createTestDatabase, type TestDatabase } from "./testing.ts";

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

describe("lists", () => {
  it.each<[type: string, values: unknown[], read?: unknown[]]>([
    ["text", ["", "null", "NULL", 'a"b', "a\\b", "{x,y}", " ", "è\n", null]],
    ["integer", [1, -2, null]],
    ["smallint", [3]],
    ["double precision", [0.5, 1e300]],
    ["bigint", ["9007199254740993", null]],
    ["numeric", ["0.10", "NaN"]],
    ["boolean", [true, false, null]],
    ["json", ['{"a":1}', null], [{ a: 1 }, null]],
    ["jsonb", ['["\\"x\\\\"]'], [['"x\\']]],
    ["bytea", [Buffer.from([0, 92, 255]), null]],
    ["timestamptz", [new Date("2026-11-21T17:00:00.123Z")]],
    ["uuid", ["00000000-0000-4000-8000-000000000001"]],
    ["text", []],
    [
      "integer",
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ])("of %s %j go to the server and come back", async (type, values, read = values) => {
    const rows = await db.run(sql`select ${sql.param(values)}::${sql.raw(type)}[] as list`);
    expect(rows).toEqual([{ list: read }]);
  });

  it("refuses a hole, which would silently become something else", () => {
    expect(() => toArrayLiteral(["a", undefined])).toThrow("Expected a value or null in a list");
  });
});
