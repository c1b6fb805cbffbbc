import { expect, it, onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { openDatabase } from "@drover/db/client";
import { findNode } from "@drover/db/query/node";
import { dropNodeRole, ensureNodeLogin, removeNode } from "@drover/db/query/node-login";
import { createTestDatabase } from "@drover/db/testing";
import { temporaryFolder } from "./executor/testing.ts";
import { openNotebook } from "./notebook.ts";
import { findNodeName } from "./own-name.ts";

const log = createLog({ app: "test", level: "silent" });

async function setup() {
  const database = await createTestDatabase();
  const db = openDatabase({ url: database.url, maxConnections: 1 });
  const own = new URL(database.url);
  own.password = "o".repeat(32);
  own.username = await ensureNodeLogin(db, 1, "gpu-01", own.password);
  onTestFinished(async () => {
    const holderId = (await findNode(db, "gpu-01"))?.id ?? 0;
    await removeNode(db, holderId, { isForced: true, actor: "test" });
    await dropNodeRole(db, holderId);
    await db.close();
    await database.drop();
  });
  const folder = temporaryFolder();
  const stopping = new AbortController();
  const ask = (url: string) =>
    findNodeName({
      url,
      notebook: openNotebook({ folder, url, log }),
      hostName: "host",
      signal: stopping.signal,
      log,
    });
  return { ask, stopping, superuser: database.url, own: own.href, away: own.href.replace(/@[^/]+/, "@127.0.0.1:1") };
}

it("is the one of the node whose login asks, and the host's where the login is no node's", async () => {
  const { ask, own, superuser } = await setup();
  expect(await ask(own)).toBe("gpu-01");
  expect(await ask(superuser)).toBe("host");
});

it("is known from before while the database is away, and is waited for where nothing is known", async () => {
  const { ask, away, superuser, stopping } = await setup();
  const folder = temporaryFolder();
  const notebook = openNotebook({ folder, url: away, log });
  notebook.note({ node: "gpu-01" });
  const known = { url: away, notebook, hostName: "host", signal: stopping.signal, log };
  expect(await findNodeName(known)).toBe("gpu-01");
  expect(await ask(superuser.replace(/@[^/]+/, "@127.0.0.1:1"))).toBe("host");

  let isOver = false;
  const asked = ask(away).finally(() => (isOver = true));
  expect(await ask(superuser)).toBe("host");
  expect(isOver).toBe(false);
  stopping.abort();
  expect(await asked).toBe("host");
});

it("is left to the registration, which says what to do, where the login is refused", async () => {
  const { ask, own } = await setup();
  const wrong = new URL(own);
  wrong.password = "wrong";
  expect(await ask(wrong.href)).toBe("host");
});
