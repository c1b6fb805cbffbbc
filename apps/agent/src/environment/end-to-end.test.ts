import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createMetrics } from "@drover/daemon/metric";
import { type Database, openDatabase } from "@drover/db/client";
import type { WantedReplica } from "@drover/db/node/replica";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { connect } from "../docker/connect.ts";
import { createEngine } from "../docker/engine.ts";
import { createPuller } from "../docker/pull.ts";
import { findTestEngine } from "../docker/testing.ts";
import { createGpuWatch } from "../gpu/watch.ts";
import { metrics as declarations } from "../metric.ts";
import { createNodeSource } from "../source.ts";
import { createKeeper } from "./keeper.ts";
import { checkBy, clearNode, uniqueName, wantReplica } from "./testing.ts";

const found = await findTestEngine();
const log = createLog({ app: "test", level: "silent" });
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 4 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

/** A node that speaks the node protocol; its syncs are made by hand. */
async function setup() {
  const holder = uniqueName("node");
  const docker = connect({ host: found.host });
  const { reconciler, probe } = createKeeper({
    values: {
      drift: "converge",
      maxConcurrentStarts: 5,
      mounts: undefined,
      reconcileSeconds: 1,
      secretsDir: undefined,
    },
    owner: { holder },
    taskBase: "/nonexistent",
    docker,
    puller: createPuller({ engine: createEngine({ docker }) }),
    gpus: () => [],
    gpuWatch: createGpuWatch({ look: async () => {}, cordon: async () => {}, log }),
    db,
    life: () => source,
    metrics: createMetrics({ declarations, hasProcessMetrics: false }),
    log,
  });
  const source = createNodeSource({
    db,
    name: holder,
    version: "test",
    facts: () => ({ executors: ["docker"], slots: {}, facts: {} }),
    onHeld: () => reconciler.registered(),
    onReplicas: (replicas) => reconciler.desire(replicas),
    onAnswer: (nextSyncMs) => reconciler.answered(nextSyncMs),
  });
  await source.register();
  await reconciler.start();
  onTestFinished(async () => {
    await reconciler.stop(AbortSignal.timeout(5000));
    await clearNode(found.host, holder);
  });
  return { source, reconciler, probe };
}

async function place(wanted: WantedReplica, holderId: number): Promise<void> {
  await db.run(sql`
    with e as (
      insert into drover.environment (namespace_id, name) values (1, ${wanted.environment})
      on conflict (namespace_id, name) do update set name = excluded.name returning id
    ), s as (
      insert into drover.service (environment_id, name) select e.id, ${wanted.service} from e returning id, environment_id
    )
    insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, holder_id)
    select ${wanted.id}::bigint, 1, s.environment_id, s.id, ${wanted.number}, 1, ${JSON.stringify(wanted.spec)}::json,
           ${wanted.specHash}, ${holderId} from s`);
  await db.run(sql`select drover.touch_holders(array[${holderId}]::integer[])`);
}

describe.skipIf(found.missing !== undefined)(`a node and its replicas ${found.missing ?? ""}`, () => {
  it("learns from a sync what it is to keep, and tells what became of it until it is gone", async () => {
    const { source, probe } = await setup();
    const web = wantReplica({
      environment: uniqueName("env"),
      spec: {
        health: checkBy({ kind: "command", command: ["true"] }),
        ports: [{ containerPort: 80, hostIp: "127.0.0.1", protocol: "tcp" }],
      },
    });
    await place(web, source.holderId);
    await source.poll(undefined);
    const statusOf = async () =>
      (await db.run(sql`select * from drover.replica_status where replica_id = ${web.id}::bigint`))[0];
    await expect.poll(statusOf).toMatchObject({
      state: "running",
      is_healthy: true,
      spec_hash: "hash-1",
      round: 0,
      restarts: 0,
      progress: 100,
      ports: [{ containerPort: 80, hostIp: "127.0.0.1", protocol: "tcp" }],
      drift: null,
    });
    const { container_id: containerId } = (await statusOf()) as { container_id: string };
    expect(await probe(web.id, containerId, AbortSignal.timeout(1000))).toMatchObject({ isHealthy: true });

    await db.run(sql`update drover.replica set wanted = 'gone' where id = ${web.id}::bigint`);
    await db.run(sql`select drover.touch_holders(array[${source.holderId}]::integer[])`);
    await source.poll(undefined);
    await expect.poll(async () => db.run(sql`select id from drover.replica where id = ${web.id}::bigint`)).toEqual([]);
  });

  it("tells everything again after it was registered anew", async () => {
    const { source } = await setup();
    const web = wantReplica({ environment: uniqueName("env") });
    await place(web, source.holderId);
    await source.poll(undefined);
    const stateOf = async () =>
      (
        await db.run<{ state: string }>(
          sql`select state from drover.replica_status where replica_id = ${web.id}::bigint`,
        )
      )[0]?.state;
    await expect.poll(stateOf).toBe("running");
    await db.run(sql`delete from drover.replica_status where replica_id = ${web.id}::bigint`);
    await source.register();
    await expect.poll(stateOf).toBe("running");
  });
});
