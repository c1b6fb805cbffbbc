import { randomBytes } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Database, openDatabase } from "../client.ts";
import { errorCode } from "../fault.ts";
import { migrate } from "../migrate.ts";
import { tryLogin } from "../node/login.ts";
import { runOn, withDatabase } from "../testing.ts";
import {
  claimNodeName,
  dropNodeRole,
  endNodeSessions,
  ensureNodeLogin,
  removeNode,
  revokeNodeLogin,
} from "./node-login.ts";

// The API as operators are told to run it: no superuser, but the owner of its schemas, who may create roles.
const { url: server } = inject("testServer");
const name = `drover_test_${randomBytes(6).toString("hex")}`;
const password = "p".repeat(32);
let url: string;
let db: Database;

beforeAll(async () => {
  await runOn(server, `create role ${name} login createrole password '${password}'`);
  // Made by the first installation on a server, which then owns it; here that was the superuser.
  await runOn(server, `grant drover_agent to ${name} with admin option`);
  await runOn(server, `create database ${name} owner ${name}`);
  url = as(name, withDatabase(server, name));
  await migrate({ url });
  db = openDatabase({ url, maxConnections: 2 });
});
afterAll(async () => {
  await db.close();
  await runOn(server, `drop database ${name} with (force)`);
  await runOn(server, `drop role ${name}`);
});

function as(login: string, to: string): string {
  const own = new URL(to);
  own.username = login;
  own.password = password;
  return own.href;
}

async function join(node: string) {
  const id = (await claimNodeName(db, 1, { name: node, labels: {}, taints: [], isForName: false })) ?? 0;
  const login = await ensureNodeLogin(db, 1, node, password);
  return { id, login, url: as(login, url) };
}

describe("a node's login, made by a role that is no superuser", () => {
  it("is revoked with its sessions, given back by the next join, and dropped with the node", async () => {
    const node = await join("one");
    const agent = openDatabase({ url: node.url, maxConnections: 1, statementTimeoutMs: 1000 });
    await agent.run(sql`select 1`);
    expect(await revokeNodeLogin(db, node.id, "test")).toBe(true);
    expect(await endNodeSessions(db, node.id)).toBe(1);
    expect(await revokeNodeLogin(db, node.id, "test")).toBe(false);
    expect(await tryLogin(node.url)).toBe("refused");
    await agent.close({ timeoutSeconds: 1 });

    expect((await join("one")).id).toBe(node.id);
    expect(await tryLogin(node.url)).toBe("accepted");
    expect(await removeNode(db, node.id, { isForced: false, actor: "test" })).toBe("removed");
    await endNodeSessions(db, node.id);
    await dropNodeRole(db, node.id);
    expect(await db.run(sql`select from pg_roles where rolname = ${node.login}`)).toEqual([]);
  });

  it("leaves its maker no right to act as the node", async () => {
    const node = await join("two");
    await revokeNodeLogin(db, node.id, "test");
    await endNodeSessions(db, node.id);
    expect(await db.run(sql`set role ${sql.identifier(node.login)}`).catch(errorCode)).toBe("42501");
    await removeNode(db, node.id, { isForced: false, actor: "test" });
    await dropNodeRole(db, node.id);
  });

  it("is not dropped while the node has one", async () => {
    const node = await join("three");
    await dropNodeRole(db, node.id);
    expect(await tryLogin(node.url)).toBe("accepted");
    await removeNode(db, node.id, { isForced: false, actor: "test" });
    await dropNodeRole(db, node.id);
    await dropNodeRole(db, node.id);
  });
});
