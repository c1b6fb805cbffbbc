import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Executor, openDatabase } from "./client.ts";
import { startEmbedded } from "./embedded/server.ts";
import { createWakeups } from "./listen.ts";
import { createTestDatabase, type TestDatabase } from "./testing.ts";
import { createWaker } from "./wake.ts";

let house: TestDatabase;
beforeAll(async () => {
  house = await createTestDatabase();
});
afterAll(() => house.drop());

const open = (url = house.url) => {
  const db = openDatabase({ url, maxConnections: 2 });
  onTestFinished(() => db.close({ timeoutSeconds: 1 }));
  return db;
};
const terminateOthers = sql`
  select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;

describe("openDatabase", () => {
  it("gives bigints as decimal strings, JSON as values, and takes JSON as text", async () => {
    const [row] = await open().run(sql`
      select 9007199254740993::bigint as big, ${'{"a":1.0}'}::json::text as kept, '{"a":[1,null]}'::jsonb as read,
             ${sql.param(["1", "2"])}::bigint[] as list`);
    expect(row).toEqual({ big: "9007199254740993", kept: '{"a":1.0}', read: { a: [1, null] }, list: ["1", "2"] });
  });

  it("asks nothing of its own on a new connection, since a loss just then would end the process", async () => {
    const real = new URL(house.url);
    const asked: string[] = [];
    const proxy = createServer((from) => {
      const server = connect(Number(real.port), real.hostname);
      server.on("error", () => {}).pipe(from);
      from
        .on("error", () => {})
        .on("data", (bytes) => {
          // Messages with a type: P parses a statement. The first one finds the server gone.
          if (String.fromCharCode(bytes[0] ?? 0) !== "P") return void server.write(bytes);
          asked.push(bytes.toString("latin1"));
          proxy.close();
          from.destroy();
          server.destroy();
        });
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const through = new URL(house.url);
    through.port = String((proxy.address() as AddressInfo).port);
    const answer = open(through.href).run(sql`select ${"mine"}::text as whose`);
    await expect(answer).rejects.toMatchObject({ name: "DroverError", reason: "unavailable" });
    expect(asked).toEqual([expect.stringContaining("as whose")]);
  });

  it("never compiles plans, which costs more than queue statements take", async () => {
    expect(await open().run(sql`select current_setting('jit') as jit`)).toEqual([{ jit: "off" }]);
  });

  it("takes a connection that swallows everything for dead, and goes on by another", async () => {
    const to = new URL(house.url);
    let isHole = false;
    const pipes: Socket[] = [];
    const proxy = createServer((from) => {
      const server = connect(Number(to.port), to.hostname);
      pipes.push(from, server);
      from.on("error", () => {}).on("data", (bytes) => void (isHole || server.write(bytes)));
      server.on("error", () => {}).on("data", (bytes) => void (isHole || from.write(bytes)));
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      for (const pipe of pipes) pipe.destroy();
      proxy.close();
    });
    const through = new URL(house.url);
    through.port = String((proxy.address() as AddressInfo).port);
    const db = openDatabase({ url: through.href, maxConnections: 1, answerTimeoutMs: 500, connectTimeoutSeconds: 1 });
    onTestFinished(() => db.close({ timeoutSeconds: 0 }));
    expect(await db.run(sql`select 1 as one`)).toEqual([{ one: 1 }]);
    isHole = true;
    await expect(db.run(sql`select 2 as two`)).rejects.toMatchObject({ name: "DroverError", reason: "unavailable" });
    isHole = false;
    await expect.poll(() => db.run(sql`select 3 as three`).catch(String)).toEqual([{ three: 3 }]);
  });

  it("commits what resolves and rolls back what rejects", async () => {
    const db = open();
    await db.run(sql`create table kept (n integer)`);
    await db.transaction((tx) => tx.run(sql`insert into kept values (1)`));
    const failing = db.transaction(async (tx) => {
      await tx.run(sql`insert into kept values (2)`);
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await db.run(sql`select n from kept`)).toEqual([{ n: 1 }]);
  });

  it("says unavailable when its connection is ended in mid-statement, and goes on by itself", async () => {
    const db = open();
    const other = open();
    const busy = db.run(sql`select pg_sleep(60)`);
    await expect
      .poll(
        async () =>
          (
            await other.run(
              sql`select from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()`,
            )
          ).length,
      )
      .toBe(1);
    await Promise.all([
      expect(busy).rejects.toMatchObject({ name: "DroverError", reason: "unavailable" }),
      other.run(terminateOthers),
    ]);
    expect(await db.run(sql`select 1 as n`)).toEqual([{ n: 1 }]);
  });

  it.each([
    ["between two statements", async (lose: () => Promise<unknown>) => void (await lose())],
    [
      "in mid-statement",
      async (lose: () => Promise<unknown>, tx: Executor) => {
        await Promise.all([tx.run(sql`select pg_sleep(60)`), lose()]);
      },
    ],
  ])(
    "says unavailable when the connection of a transaction is lost %s, commits none of it and runs none of the rest",
    async (_when, meet) => {
      const [db, other] = [openDatabase({ url: house.url, maxConnections: 1, connectTimeoutSeconds: 1 }), open()];
      onTestFinished(() => db.close({ timeoutSeconds: 1 }));
      await db.run(sql`create table if not exists half (n integer)`);
      const late = Promise.withResolvers<string[]>();
      const work = db.transaction(async (tx) => {
        await tx.run(sql`insert into half values (1)`);
        const [session] = await tx.run<{ pid: number }>(sql`select pg_backend_pid() as pid`);
        const gone = sql`select from pg_stat_activity where pid = ${session?.pid ?? 0}`;
        const lose = async () => {
          await other.run(sql`select pg_terminate_backend(${session?.pid ?? 0})`);
          await expect.poll(async () => (await other.run(gone)).length).toBe(0);
        };
        try {
          await meet(lose, tx);
        } finally {
          const rest = [tx.run(sql`insert into half values (2)`), tx.run(sql`insert into half values (3)`)];
          late.resolve((await Promise.allSettled(rest)).map((end) => end.status));
        }
      });
      await expect(work).rejects.toMatchObject({ reason: "unavailable" });
      expect(await late.promise).toEqual(["rejected", "rejected"]);
      await expect.poll(() => db.run(sql`select n from half`).catch(() => "away"), { timeout: 5000 }).toEqual([]);
    },
  );

  it("goes on soon where the loss came before a statement was on its way", async () => {
    const real = new URL(house.url);
    const clients = new Set<Socket>();
    const proxy = createServer((from) => {
      const server = connect(Number(real.port), real.hostname);
      clients.add(from.on("error", () => {}));
      from.pipe(server.on("error", () => {})).pipe(from);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void proxy.close());
    const url = new URL(house.url);
    url.port = String((proxy.address() as AddressInfo).port);
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    // How many turns of the loop the news of a loss takes is nobody's business: a statement comes in each of them.
    for (let turns = 0; turns < 8; turns += 1) {
      const db = openDatabase({ url: url.href, maxConnections: 1 });
      onTestFinished(() => db.close({ timeoutSeconds: 1 }));
      await db.run(sql`select 1`);
      for (const client of clients) client.destroy();
      clients.clear();
      for (let left = turns; left > 0; left -= 1) await turn();
      const answer = () => db.run(sql`select 1 as one`).catch((error: unknown) => error);
      const first = answer();
      await expect.poll(answer, { timeout: 3000 }).toEqual([{ one: 1 }]);
      await first;
    }
  });

  it("says unavailable where nobody listens", async () => {
    const nowhere = new URL(house.url);
    nowhere.port = "1";
    await expect(open(nowhere.href).run(sql`select 1`)).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("passes a mistake in a statement as it is", async () => {
    await expect(open().run(sql`select from nothing`)).rejects.toMatchObject({ code: "42P01" });
  });
});

describe("createWakeups", () => {
  it("brings hints, comes back when its connection is ended, and wakes everyone then", async () => {
    const db = open();
    const wakeups = createWakeups({ url: house.url });
    onTestFinished(() => wakeups.stop());
    const hints: string[] = [];
    const unsubscribe = wakeups.subscribe((hint) => hints.push(hint));
    await wakeups.start();
    expect(wakeups.isListening).toBe(true);
    const waker = createWaker({ db, intervalMs: 1 });
    waker.wake("class:cpu_short");
    await expect.poll(() => hints).toContain("class:cpu_short");
    hints.length = 0;
    await db.run(terminateOthers);
    await expect.poll(() => hints).toEqual(["reconnected"]);
    waker.wake("holder:7");
    await expect.poll(() => hints).toEqual(["reconnected", "holder:7"]);
    unsubscribe();
    waker.wake("nobody");
    await expect.poll(async () => (await db.run(sql`select 1`)).length).toBe(1);
    expect(hints).not.toContain("nobody");
  });
});

describe("a restart of the server", () => {
  it("is survived by the pool and by the wakeups, which know that they hear nothing meanwhile", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "drover-restart-"));
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const first = await startEmbedded({ dataDir, isDurable: false, log: silent });
    const db = open(first.url);
    const wakeups = createWakeups({ url: first.url });
    onTestFinished(() => wakeups.stop());
    const hints: string[] = [];
    wakeups.subscribe((hint) => hints.push(hint));
    await wakeups.start();
    await db.run(sql`select 1`);

    await first.stop();
    await expect.poll(() => wakeups.isListening).toBe(false);
    await expect(db.run(sql`select 1`)).rejects.toMatchObject({ name: "DroverError", reason: "unavailable" });

    hints.length = 0;
    const second = await startEmbedded({ dataDir, port: first.port, isDurable: false, log: silent });
    onTestFinished(() => second.stop());
    await expect.poll(() => db.run(sql`select 2 as n`).catch(() => []), { timeout: 5000 }).toEqual([{ n: 2 }]);
    await expect.poll(() => hints, { timeout: 10_000 }).toEqual(["reconnected"]);
    expect(wakeups.isListening).toBe(true);
  });
});
