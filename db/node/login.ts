import { sql } from "drizzle-orm";
import { type Executor, openDatabase } from "../client.ts";
import { errorCode, isTransient } from "../fault.ts";
import { findOwnName } from "./installation.ts";

/** Whether the database lets a login in: `unreachable` says nothing of the login. */
export async function tryLogin(url: string): Promise<"accepted" | "refused" | "unreachable"> {
  try {
    await once(url, (db) => db.run(sql`select 1`));
    return "accepted";
  } catch (error) {
    if (isLoginRefused(error)) return "refused";
    if (isTransient(error)) return "unreachable";
    throw error;
  }
}

/** Whether a fault means that a login is wrong, revoked, or no longer that of its node: trying again changes nothing. */
export function isLoginRefused(error: unknown): boolean {
  // 28P01: another password, or none; 28000: may not log in; 42501: may not act for that node.
  return ["28P01", "28000", "42501"].includes(errorCode(error) ?? "");
}

/** Whether a fault means that the database knows another password of this login. */
export function isPasswordRefused(error: unknown): boolean {
  return errorCode(error) === "28P01";
}

/** Gives the login of a URL a new password, of 24 characters or more; false where it is no node's. */
export function rotateLogin(url: string, password: string): Promise<boolean> {
  return once(url, async (db) => {
    const [row] = await db.run<{ rotated: boolean }>(sql`select node.rotate_login(${password}) as rotated`);
    return row?.rotated ?? false;
  });
}

/** The name of the node that a login is of; undefined: of none. */
export function askOwnName(url: string): Promise<string | undefined> {
  return once(url, findOwnName);
}

async function once<T>(url: string, work: (db: Executor) => Promise<T>): Promise<T> {
  const db = openDatabase({ url, maxConnections: 1, statementTimeoutMs: 5_000, connectTimeoutSeconds: 5 });
  try {
    return await work(db);
  } finally {
    await db.close({ timeoutSeconds: 1 });
  }
}
