import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "@drover/db/client";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { writeNodeLogin } from "./node-login.ts";

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), "drover-login-"));
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function userOf(url: string): Promise<string | undefined> {
  const db = openDatabase({ url, maxConnections: 1 });
  try {
    const [row] = await db.run<{ login: string }>(sql`select session_user as login`);
    return row?.login;
  } finally {
    await db.close();
  }
}

describe("node login", () => {
  it("makes a login of the node's own, and leaves its URL to its owner only", async () => {
    const url = await writeNodeLogin({ url: database.url, name: "gpu-7", folder });
    const file = join(folder, "node-gpu-7.url");
    expect(readFileSync(file, "utf8")).toBe(url);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await userOf(url)).toMatch(/^drover_node_\d+_/);
  });

  it("keeps the password of an agent that is running when the API starts again", async () => {
    const first = await writeNodeLogin({ url: database.url, name: "kept", folder });
    expect(await writeNodeLogin({ url: database.url, name: "kept", folder })).toBe(first);
    expect(await userOf(first)).toMatch(/^drover_node_/);
  });

  it("refuses a name that no host has", async () => {
    await expect(writeNodeLogin({ url: database.url, name: "No Such", folder })).rejects.toThrow('got "No Such"');
  });
});
