import { createClient, createRouterTransport } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import { expect } from "vitest";
import { createLog } from "../../packages/daemon/src/log.ts";
import { createWorkLoop } from "../../packages/worker/src/loop.ts";
import { openDatabase } from "../../db/client.ts";
import { createWakeups } from "../../db/listen.ts";
import { reply } from "../../db/node/replica.ts";
import { createDirectory } from "../../db/query/directory.ts";
import { createTestDatabase } from "../../db/testing.ts";
import { silentWaker } from "../../db/wake.ts";
import { EnvironmentService } from "../../proto/gen/drover/v1/environment_pb.ts";
import { NodeService } from "../../proto/gen/drover/v1/node_pb.ts";
import { createEngine } from "../../apps/agent/src/docker/engine.ts";
import { createPuller } from "../../apps/agent/src/docker/pull.ts";
import { createContainerReader } from "../../apps/agent/src/docker/reader.ts";
import { createServiceEngine } from "../../apps/agent/src/docker/service-engine.ts";
import { type findTestEngine, testImage } from "../../apps/agent/src/docker/testing.ts";
import { createRequestDesk } from "../../apps/agent/src/request/desk.ts";
import { createRequestHandlers } from "../../apps/agent/src/request/handlers.ts";
import type { ProbeReplica } from "../../apps/agent/src/request/probe.ts";
import { createNodeSource } from "../../apps/agent/src/source.ts";
import { imageRpc } from "../../apps/api/src/rpc/image.ts";
import { createInterceptors } from "../../apps/api/src/rpc/interceptors.ts";
import { serviceRpc } from "../../apps/api/src/rpc/service.ts";
import { createValidation } from "../../apps/api/src/rpc/validate.ts";

type Engine = Exclude<Awaited<ReturnType<typeof findTestEngine>>, { missing: string }>;

/** A database of its own with API replicas and agents on it, in this process, over a real container engine. */
export async function openRequestWorld(engine: Engine) {
  const database = await createTestDatabase();
  const db = openDatabase({ url: database.url, maxConnections: 2 });
  const log = createLog({ app: "test", level: "silent" });
  const closing: (() => Promise<unknown>)[] = [];
  const containers: string[] = [];
  let numbers = 0;
  const unique = (what: string) => `${what}-${Date.now().toString(36)}-${(numbers += 1)}`;

  return {
    db,
    /** One replica of the API: nothing but the database joins it to the others. */
    async api() {
      const own = openDatabase({ url: database.url, maxConnections: 4 });
      const wakeups = createWakeups({ url: database.url });
      await wakeups.start();
      closing.push(() => wakeups.stop().then(() => own.close()));
      const options = { deps: { db: own, directory: createDirectory({ db: own }), waker: silentWaker }, wakeups };
      const validation = createValidation([EnvironmentService, NodeService]);
      const transport = createRouterTransport(
        (router) => {
          router.service(EnvironmentService, serviceRpc(options));
          router.service(NodeService, imageRpc(options));
        },
        {
          router: {
            interceptors: createInterceptors({ onCall: () => {}, draining: new AbortController().signal, validation }),
          },
        },
      );
      return { service: createClient(EnvironmentService, transport), node: createClient(NodeService, transport) };
    },
    async agent(options: { name?: string; probe?: ProbeReplica; aliveMs?: number } = {}) {
      const { name = unique("node"), probe = async () => undefined, aliveMs } = options;
      const own = openDatabase({ url: database.url, maxConnections: 1 });
      const wakeups = createWakeups({ url: database.url });
      await wakeups.start();
      const client = createEngine({ docker: engine.docker });
      const desk = createRequestDesk({
        handlers: createRequestHandlers({
          engine: client,
          reader: createContainerReader({ docker: engine.docker }),
          puller: createPuller({ engine: client }),
          images: createServiceEngine({ docker: engine.docker }),
          probe,
        }),
        reply: (part) => reply(own, source, part),
        log,
        ...(aliveMs !== undefined && { aliveMs }),
      });
      const source = createNodeSource({
        db: own,
        wakeups,
        name,
        version: "test",
        facts: () => ({ executors: ["docker"], slots: {}, facts: {} }),
        onHeld: () => {},
        onRequests: (open) => desk.take(open),
      });
      const loop = createWorkLoop({
        source,
        free: () => undefined,
        start: () => {},
        cancel: () => {},
        holds: () => false,
        loseAll: () => {},
        graceMs: 1000,
        log,
      });
      await loop.start();
      await expect.poll(() => loop.isLeased).toBe(true);
      const stop = async () => {
        desk.stop();
        await loop.stop();
        await wakeups.stop();
        await own.close();
      };
      closing.push(stop);
      return { name, desk, holderId: source.holderId };
    },
    /** Wants a replica of a service of its own, on a node. */
    async replica(holderId: number | null, of?: { environment: string; service: string }) {
      const names = of ?? { environment: unique("env"), service: "web" };
      const [row] = await db.run<{ id: string; number: number }>(sql`
        with environment as (
          insert into drover.environment (namespace_id, name) select n.id, ${names.environment} from drover.namespace n where n.name = 'default'
          on conflict on constraint environment_name_is_unique do update set updated_at = now() returning *
        ), service as (
          insert into drover.service (environment_id, name) select e.id, ${names.service} from environment e
          on conflict on constraint service_name_is_unique do update set name = excluded.name returning *
        )
        insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, holder_id)
        select drover.next_id(), e.namespace_id, e.id, s.id,
               (select count(*) + 1 from drover.replica r where r.service_id = s.id), 1, '{"service":{}}', '', ${holderId}
          from environment e, service s
        returning id::text as id, number`);
      return { ...names, id: row?.id ?? "", number: row?.number ?? 0 };
    },
    /** Starts a container of a replica, as the agent of its node would. */
    async container(replicaId: string, script: string) {
      const container = await engine.docker.createContainer({
        name: unique("drover-test-request"),
        Image: testImage,
        Cmd: ["sh", "-c", script],
        Labels: { "drover.replica": replicaId },
        HostConfig: { NetworkMode: "none" },
        StopTimeout: 0,
      });
      containers.push(container.id);
      await container.start();
      return container;
    },
    /** Gives the image of the tests another name, as a build on the node would. */
    async tag(name: string) {
      const at = name.lastIndexOf(":");
      await engine.docker.getImage(testImage).tag({ repo: name.slice(0, at), tag: name.slice(at + 1) });
      closing.push(async () => void (await engine.docker.getImage(name).remove()));
    },
    async count(table: "node_request" | "node_reply") {
      const from = table === "node_reply" ? sql`drover.node_reply` : sql`drover.node_request`;
      const [row] = await db.run<{ count: number }>(sql`select count(*)::integer as count from ${from}`);
      return row?.count ?? 0;
    },
    async close() {
      for (const close of closing.toReversed()) await close();
      for (const id of containers)
        await engine.docker
          .getContainer(id)
          .remove({ force: true })
          .catch(() => {});
      await db.close();
      await database.drop();
    },
  };
}
