import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../client.ts";
import { errorCode } from "../fault.ts";
import { ensureNodeLogin } from "../query/node-login.ts";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import {
  describe as describeHolder,
  drain,
  held,
  leave,
  register,
  type Registered,
  type Registration,
} from "./register.ts";
import { findInstallation, findOwnName } from "./installation.ts";
import { appendLog, complete, fail } from "./settle.ts";
import { claim, renew, sync } from "./sync.ts";

let house: TestQueue;
let agent: Database;
let own: Registered;
let foreign: Registered;
const registration = (name: string): Registration => ({
  kind: "node",
  name,
  namespace: "default",
  executors: ["docker"],
  taskTypes: [],
  classes: null,
  slots: { gpu: 1 },
  facts: {},
  version: "test",
});

async function openAs(name: string, password: string, maxConnections = 2): Promise<Database> {
  const login = await ensureNodeLogin(house.db, house.context.namespaceId, name, password);
  const url = new URL(house.url);
  url.username = login;
  url.password = encodeURIComponent(password);
  return openDatabase({ url: url.href, maxConnections });
}

async function refusal(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => "it was allowed",
    (error: unknown) => errorCode(error),
  );
}

const forbidden = "42501";

beforeAll(async () => {
  house = await openTestQueue();
  // A clone has the objects of its template, but not what was granted on the database itself.
  await house.db.run(sql.raw(readFileSync(join(import.meta.dirname, "grant.sql"), "utf8")));
  agent = await openAs("mine", "se'cret\\");
  own = await register(agent, registration("mine"));
  await ensureNodeLogin(house.db, house.context.namespaceId, "theirs", "other");
  foreign = await register(house.db, registration("theirs"));
});
afterAll(async () => {
  await agent.close({ timeoutSeconds: 1 });
  const logins = await house.db.run<{ login: string }>(sql`select login from drover.holder where login is not null`);
  await house.close();
  const server = openDatabase({ url: house.url.replace(/\/[^/]*$/, "/postgres"), maxConnections: 1 });
  for (const { login } of logins) await server.run(sql`drop role if exists ${sql.identifier(login)}`);
  await server.close();
});

describe("a node's login", () => {
  it("may do all of the node protocol for its own node", async () => {
    const queueId = await house.queue({ className: "gpu", taskType: "" });
    await house.submit([{ queueId }, { queueId }]);
    const answer = await sync(agent, own, { gpu: 2 }, false);
    if (answer.status !== "ok") throw new Error("expected a live lease");
    const [first, second] = answer.claims.map((item) => ({ taskKey: item.task_id, fence: item.fence }));
    if (first === undefined || second === undefined) throw new Error("expected two claims");
    expect(await appendLog(agent, own, first, 1, [["stdout", 1, "hello"]])).toBe(true);
    expect(await complete(agent, own, [first])).toEqual([]);
    expect(await fail(agent, own, [{ ...second, class: "error", message: "no" }])).toEqual([]);
    expect(await held(agent, own.holderId)).toEqual([]);
    expect(await describeHolder(agent, own, { executors: ["docker"], slots: { gpu: 1 }, facts: {} })).toBe(true);
    expect(await renew(agent, own)).toMatchObject({ status: "ok" });
  });

  it("learns its own name and which installation it belongs to, and the control plane's own role has no such name", async () => {
    expect(await findOwnName(agent)).toBe("mine");
    expect(await findOwnName(house.db)).toBeUndefined();
    const [row] = await house.db.run<{ id: string }>(sql`select id from drover.installation`);
    expect(await findInstallation(agent)).toBe(row?.id);
    expect(row?.id).toMatch(/^[0-9a-f-]{36}$/);
    // 23514: there is one row, and no place for another.
    expect(await refusal(house.db.run(sql`insert into drover.installation (is_only) values (false)`))).toBe("23514");
  });

  it("finds neither where the database is of a release that cannot tell", async () => {
    const older = await openTestQueue();
    await older.db.run(sql`drop function node.installation(), node.own_name()`);
    expect([await findInstallation(older.db), await findOwnName(older.db)]).toEqual([undefined, undefined]);
    await older.close();
  });

  it.each<[string, () => Promise<unknown>]>([
    ["sync", () => sync(agent, foreign, { gpu: 1 }, false)],
    ["claim", () => claim(agent, foreign, 1)],
    ["renew", () => renew(agent, foreign)],
    ["complete", () => complete(agent, foreign, [{ taskKey: "1", fence: "1" }])],
    ["fail", () => fail(agent, foreign, [{ taskKey: "1", fence: "1", class: "error", message: "" }])],
    ["log", () => appendLog(agent, foreign, { taskKey: "1", fence: "1" }, 1, [])],
    ["held", () => held(agent, foreign.holderId)],
    ["drain", () => drain(agent, foreign.holderId, foreign.epoch)],
    ["leave", () => leave(agent, foreign.holderId, foreign.epoch)],
    ["describe", () => describeHolder(agent, foreign, { executors: [], slots: {}, facts: {} })],
    ["register", () => register(agent, registration("theirs"))],
    ["register as a worker", () => register(agent, { ...registration("mine"), kind: "worker" })],
    ["register as a new node", () => register(agent, registration("unheard-of"))],
  ])("may not %s for another holder", async (_verb, act) => {
    expect(await refusal(act())).toBe(forbidden);
  });

  it.each([
    "select * from drover.task",
    "select * from drover.holder",
    "insert into drover.event (id, namespace_id, kind, actor) values (1, 1, 'x', 'y')",
    "update drover.control set lease_seconds = 1",
    "delete from drover.task_lease",
    "truncate drover.task_final",
    "select nextval('drover.fence_sequence')",
    "select drover.sweep()",
    "select drover.take_back('{}', '{}', 'x', 'y')",
    "select drover.cancel_task(1, 'x', 'y')",
    "select drover.ensure_node_login(1, 'x', 'y')",
    "select drover.authorize(1)",
    "select drover.migration from drover.migration",
    "create table node.mine (x integer)",
    "create table drover.mine (x integer)",
    "create table public.mine (x integer)",
    "create schema mine",
    "create temporary table mine (x integer)",
    "create function node.mine() returns integer language sql return 1",
    "create or replace function node.renew(p integer, e bigint) returns integer language sql return 1",
    "create function pg_temp.mine() returns integer language sql return 1",
    "alter function node.renew(integer, bigint) rename to gone",
    "drop schema node",
    "create role mine",
    "alter role postgres password 'mine'",
    "set role postgres",
    "set session authorization postgres",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/mine'",
    "select lo_import('/etc/passwd')",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "select rolpassword from pg_authid",
    "alter system set fsync = off",
    "do language plpgsql $$ begin perform 1 from drover.task; end $$",
  ])("is refused: %s", async (statement) => {
    expect(await refusal(agent.run(sql.raw(statement)))).toBe(forbidden);
  });

  it("cannot slip its own types, tables or operators under a function of the protocol", async () => {
    // As if the database let every login make temporary objects, as PostgreSQL does by default.
    const generous = await house.session();
    await generous.run(
      sql`do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$`,
    );
    const trickster = await openAs("trickster", "x", 1);
    try {
      await trickster.run(sql`create function pg_temp.spring() returns boolean language plpgsql as $$
        begin if current_user <> session_user then raise exception 'sprung as %', current_user; end if; return true; end $$`);
      await trickster.run(sql`create table pg_temp.pg_roles (rolname name)`);
      await trickster.run(
        sql`create function pg_temp.pg_has_role(name, text, text) returns boolean language sql return false`,
      );
      await trickster.run(sql`create function pg_temp.lax(text, name) returns boolean language sql return true`);
      await trickster.run(sql`create operator pg_temp.= (function = pg_temp.lax, leftarg = text, rightarg = name)`);
      for (const type of ["json", "jsonb", "text", "timestamptz"]) {
        await trickster.run(sql.raw(`create domain pg_temp.${type} as pg_catalog.${type} check (pg_temp.spring())`));
      }
      await trickster.run(sql`set search_path = pg_temp, pg_catalog`);
      expect(await refusal(sync(trickster, foreign, { gpu: 1 }, false))).toBe(forbidden);
      // The texts of these functions are read now, for the first time in this session.
      const [me] = await trickster.run<{ holder_id: number; epoch: string }>(sql`
        select holder_id, epoch from node.register('node', 'trickster', 'default', '{docker}', '{}', null, '{}', '{}', 'x')`);
      const [answer] = await trickster.run<{ status: string }>(sql`
        select status from node.sync(${me?.holder_id ?? 0}, ${me?.epoch ?? ""}, '{"gpu":1}', false)`);
      expect(answer?.status).toBe("ok");
    } finally {
      await trickster.close({ timeoutSeconds: 1 });
      await generous.run(
        sql`do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$`,
      );
    }
  });

  it("takes names and passwords as text, whatever they hold", async () => {
    const name = `x'; drop table drover.task; --"\\`;
    const login = await openAs(name, `p'"\\; drop role postgres`, 1);
    try {
      const registered = await register(login, registration(name));
      expect(registered.holderId).toBeGreaterThan(0);
      expect(await house.count("task")).toBeGreaterThan(0);
    } finally {
      await login.close({ timeoutSeconds: 1 });
    }
  });
});

describe("the node protocol's functions", () => {
  it("are run by their owner with a pinned path that looks at temporary objects last", async () => {
    const rows = await house.db.run<{ name: string; config: string[] | null; is_definer: boolean; schema: string }>(sql`
      select p.proname as name, p.proconfig as config, p.prosecdef as is_definer, n.nspname as schema
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname in ('drover', 'node')`);
    const paths = (row: (typeof rows)[number]) =>
      row.config?.filter((setting) => setting.startsWith("search_path=")) ?? [];
    expect(rows.filter((row) => row.is_definer !== (row.schema === "node"))).toEqual([]);
    expect(rows.filter((row) => row.is_definer).length).toBeGreaterThan(8);
    expect(rows.filter((row) => row.is_definer && paths(row).length === 0)).toEqual([]);
    // Functions of the control plane may leave the path to whoever calls them, but none may forget pg_temp.
    expect(new Set(rows.flatMap(paths))).toEqual(new Set(["search_path=pg_catalog, pg_temp"]));
  });

  it("are for the agent role only, and the control plane's for nobody else", async () => {
    const rows = await house.db.run<{ name: string }>(sql`
      select p.oid::regprocedure::text as name
        from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
       where p.pronamespace in ('drover'::regnamespace, 'node'::regnamespace)
         and a.grantee <> p.proowner
         and not (p.pronamespace = 'node'::regnamespace and a.grantee = 'drover_agent'::regrole)`);
    expect(rows).toEqual([]);
  });
});
