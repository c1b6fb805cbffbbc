import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** The server of this test run: its URL and the name of the migrated database to clone. */
    testServer: { url: string; template: string };
  }
}

export interface TestDatabase {
  url: string;
  /** Ends the sessions that are left and drops the database. */
  drop(): Promise<void>;
}

/**
 * Clones the migrated template into a database of the test file's own.
 *
 * @example
 * const database = await createTestDatabase();
 * afterAll(() => database.drop());
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url, template } = inject("testServer");
  const name = `drover_test_${randomBytes(6).toString("hex")}`;
  await runOn(url, `create database ${name} template ${template}`);
  return { url: withDatabase(url, name), drop: () => runOn(url, `drop database ${name} with (force)`) };
}

/** Runs one statement on a connection of its own. */
export async function runOn(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connect_timeout: 10 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** The same server and login, another database. */
export function withDatabase(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}
