import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { describe, expect, it, onTestFinished } from "vitest";
import { defineConfig } from "@drover/daemon/config";
import { createLog } from "@drover/daemon/log";
import { openDatabase } from "@drover/db/client";
import { tryLogin } from "@drover/db/node/login";
import { endNodeSessions, ensureNodeLogin } from "@drover/db/query/node-login";
import { createTestDatabase } from "@drover/db/testing";
import { DroverError } from "@drover/domain/error";
import { temporaryFolder } from "./executor/testing.ts";
import { fakeNvidiaSmi } from "./gpu/testing.ts";
import { fixedLogin, holdLogin } from "./held-login.ts";
import { createHost } from "./host.ts";
import { openNotebook } from "./notebook.ts";
import { checkSettings, settings } from "./setting.ts";

const config = defineConfig({ settings, otherNames: ["DROVER_*"], check: checkSettings });

describe("an agent's host", () => {
  it("tells its GPUs, by the settings of its operator: facts, slots, places", async () => {
    const database = await createTestDatabase();
    const db = openDatabase({ url: database.url, maxConnections: 1 });
    const log = createLog({ app: "test", level: "silent" });
    const { values } = config.read({
      env: {
        DROVER_AGENT_DATABASE_URL: database.url,
        DROVER_AGENT_DOCKER: "false",
        DROVER_AGENT_PROCESS: "true",
        DROVER_AGENT_LISTEN: "127.0.0.1:0",
        DROVER_AGENT_TASK_DIR: temporaryFolder(),
        DROVER_AGENT_NVIDIA_SMI: fakeNvidiaSmi({ gpus: [{ uuid: "GPU-host-a" }, { uuid: "GPU-host-b" }] }).path,
        DROVER_AGENT_ROCM_SMI: "/no/such/program",
        DROVER_AGENT_GPU_SHARING: "GPU-host-b=3",
      },
    });
    const options = {
      login: fixedLogin(database.url),
      name: "host",
      version: "test",
      onSuperseded: () => {},
      onRefused: () => {},
      log,
      notebook: openNotebook({ folder: temporaryFolder(), url: database.url, log }),
    };
    const services = await createHost({ values, providers: [], ...options });
    for (const service of services) await service.start();
    onTestFinished(async () => {
      for (const service of services.toReversed()) await service.stop(AbortSignal.timeout(5000));
      await db.close();
      await database.drop();
    });
    const gpus = () => db.run(sql`select uuid, kind, slot_count as slots from drover.gpu order by uuid`);
    await expect.poll(gpus).toEqual([
      { uuid: "GPU-host-a", kind: "whole", slots: 1 },
      { uuid: "GPU-host-b", kind: "shared", slots: 3 },
    ]);
    const [holder] = await db.run<{ slots: object; facts: object }>(sql`select slots, facts from drover.holder`);
    expect(holder).toMatchObject({
      slots: { cpu_short: 4, cpu_long: 2, gpu: 4, gpu_slurm: 4 },
      facts: { gpu_count: "2", gpu_slots: "4" },
    });
  });

  it("keeps its lease when its password is replaced and its connections are ended", async () => {
    const database = await createTestDatabase();
    const db = openDatabase({ url: database.url, maxConnections: 1 });
    const log = createLog({ app: "test", level: "silent" });
    const own = new URL(database.url);
    own.password = "o".repeat(32);
    own.username = await ensureNodeLogin(db, 1, "host", own.password);
    const file = join(temporaryFolder(), "agent.url");
    writeFileSync(file, own.href);
    const login = await holdLogin({ file, rotateDays: 30, signal: new AbortController().signal, log });
    const { values } = config.read({
      env: {
        DROVER_AGENT_DATABASE_URL_FILE: file,
        DROVER_AGENT_DOCKER: "false",
        DROVER_AGENT_PROCESS: "true",
        DROVER_AGENT_LISTEN: "127.0.0.1:0",
        DROVER_AGENT_TASK_DIR: temporaryFolder(),
      },
    });
    const refusals: unknown[] = [];
    const onRefused = (error: unknown) => void refusals.push(error);
    const notebook = openNotebook({ folder: temporaryFolder(), url: own.href, log });
    const options = { login, notebook, name: "host", version: "test", onSuperseded: () => {}, onRefused, log };
    const services = await createHost({ values, providers: [], ...options });
    for (const service of services) await service.start();
    onTestFinished(async () => {
      for (const service of services.toReversed()) await service.stop(AbortSignal.timeout(5000));
      await db.close();
      await database.drop();
    });
    const [holder] = await db.run<{ id: number }>(sql`select id from drover.holder where name = 'host'`);
    utimesSync(file, new Date(), new Date(Date.now() - 31 * 86_400_000));
    await login.renew();
    await endNodeSessions(db, holder?.id ?? 0);
    const [before] = await db.run<{ at: Date }>(sql`select now() as at`);
    const renewedSince = () =>
      db.run(
        sql`select from drover.holder_lease where expires_at > ${before?.at.toISOString()}::timestamptz + interval '30 s'`,
      );
    await expect.poll(renewedSince, { timeout: 20_000 }).toHaveLength(1);
    expect(await tryLogin(own.href)).toBe("refused");
    expect(refusals).toEqual([]);
  }, 30_000);

  it("learns which installation it belongs to when it registers, and works on a database that cannot tell", async () => {
    const log = createLog({ app: "test", level: "silent" });
    for (const isOlder of [false, true]) {
      const database = await createTestDatabase();
      const db = openDatabase({ url: database.url, maxConnections: 1 });
      if (isOlder) await db.run(sql`drop function node.installation(), node.own_name()`);
      const folder = temporaryFolder();
      const env = {
        DROVER_AGENT_DATABASE_URL: database.url,
        DROVER_AGENT_DOCKER: "false",
        DROVER_AGENT_LISTEN: "127.0.0.1:0",
        DROVER_AGENT_TASK_DIR: folder,
      };
      const { values } = config.read({ env });
      const notebook = openNotebook({ folder, url: database.url, log });
      const told = { login: fixedLogin(database.url), name: "host", version: "test", log };
      const ends = { onSuperseded: () => {}, onRefused: () => {} };
      const services = await createHost({ values, notebook, providers: [], ...told, ...ends });
      for (const service of services) await service.start();
      const leases = () => db.run(sql`select from drover.holder_lease where expires_at > now()`);
      await expect.poll(leases).toHaveLength(1);
      const [row] = await db.run<{ id: string }>(sql`select id from drover.installation`);
      const known = () => openNotebook({ folder, url: database.url, log }).notes.installation;
      await expect.poll(known).toBe(isOlder ? undefined : row?.id);
      for (const service of services.toReversed()) await service.stop(AbortSignal.timeout(5000));
      await db.close();
      await database.drop();
    }
  });

  it("is refused a sharing of GPUs that cannot be read, by the name of the setting", () => {
    const env = { DROVER_AGENT_DATABASE_URL: "postgres://localhost/drover", DROVER_AGENT_GPU_SHARING: "*L4*=0" };
    expect(() => config.read({ env })).toThrow(DroverError);
    expect(() => config.read({ env })).toThrow(/DROVER_AGENT_GPU_SHARING.*1 to 48/);
  });
});
