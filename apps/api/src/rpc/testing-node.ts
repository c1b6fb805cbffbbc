import { createClient } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import { type Database, openDatabase } from "@drover/db/client";
import { register } from "@drover/db/node/register";
import { sync, type SyncAnswer } from "@drover/db/node/sync";
import { submit } from "@drover/db/query/submit";
import { getTasks } from "@drover/db/query/task";
import { NodeService } from "@drover/proto/drover/node";
import { createTestApi, type TestApi } from "../testing.ts";

/** A node as its agent is one: through its own login. */
export interface TestNode {
  name: string;
  url: string;
  db: Database;
  holderId: number;
  epoch: string;
  /** One round trip, with room for so many tasks. */
  sync(room?: number): Promise<SyncAnswer>;
}

/** The API with hosts that join it; all that was made on the database server is gone after `close`. */
export async function createTestFleet() {
  const api: TestApi = await createTestApi();
  const nodes = createClient(NodeService, api.transport);
  const agents: Database[] = [];
  const slots = { cpu_short: 4 };

  const connect = (url: string): Database => {
    const db = openDatabase({ url, maxConnections: 1 });
    agents.push(db);
    return db;
  };
  const begin = async (name: string, url: string, db = connect(url)): Promise<TestNode> => {
    const life = await register(db, {
      kind: "node",
      name,
      namespace: "default",
      executors: ["docker"],
      taskTypes: [],
      classes: null,
      slots,
      facts: { kernel: "6.1" },
      version: "test",
    });
    const { holderId, epoch } = life;
    return { name, url, db, holderId, epoch, sync: (room = 0) => sync(db, life, { cpu_short: room }, false) };
  };
  const join = async (name: string, labels: Record<string, string> = {}): Promise<TestNode> => {
    const { token } = await nodes.createJoinToken({ labels });
    const { databaseUrl } = await nodes.join({ token, name });
    return begin(name, databaseUrl);
  };
  const claims = async (node: TestNode, room: number) => {
    const answer = await node.sync(room);
    if (answer.status !== "ok") throw new Error(`expected a live lease, got ${answer.status}`);
    return answer;
  };
  return {
    api,
    nodes,
    begin,
    join,
    claims,
    read: async (name: string) => (await nodes.getNode({ name })).node,
    stateOf: async (key: string) => (await getTasks(api.db, 1, [key]))[0]?.state,
    /** A node that runs so many tasks. */
    async busy(name: string, count: number): Promise<{ node: TestNode; keys: string[]; fences: string[] }> {
      const node = await join(name);
      const keys = await this.submit(count);
      const { claims: taken } = await claims(node, count);
      if (taken.length !== count) throw new Error(`expected ${count} claims, got ${taken.length}`);
      return { node, keys, fences: taken.map(({ fence }) => fence) };
    },
    /** Replicas of shop/web on a node, one for each state that they are wanted in. */
    async addReplicas({ holderId }: TestNode, wanted: string[]): Promise<void> {
      const spec = { service: testService, networks: [], volumes: [] };
      await api.db.run(sql`
        with e as (insert into drover.environment (namespace_id, name) values (1, 'shop') returning id),
             s as (insert into drover.service (environment_id, name) select id, 'web' from e returning id, environment_id)
        insert into drover.replica (id, namespace_id, environment_id, service_id, number, generation, spec, spec_hash, wanted, holder_id)
        select drover.next_id(), 1, s.environment_id, s.id, w.number, 1, ${JSON.stringify(spec)}::json, 'x', w.wanted, ${holderId}
          from s, unnest(${sql.param(wanted)}::text[]) with ordinality as w (wanted, number)`);
    },
    /** Tasks that run in containers. */
    async submit(count: number, timeoutSeconds = 300): Promise<string[]> {
      const namespaceId = await api.deps.directory.namespaceId("default");
      const queueId = await api.deps.directory.queueId({
        namespaceId,
        className: "cpu_short",
        executor: "docker",
        taskType: "",
      });
      const draft = { queueId, timeoutSeconds, execution: JSON.stringify({ image: "x" }) };
      return submit(
        api.db,
        { namespaceId, actor: "test" },
        Array.from({ length: count }, () => draft),
      );
    },
    async close() {
      await Promise.all(agents.map((db) => db.close({ timeoutSeconds: 1 })));
      // Roles outlive the database of a test.
      for (const { name } of (await nodes.listNodes({})).nodes) await nodes.removeNode({ name, force: true });
      await api.close();
    },
  };
}

export type TestFleet = Awaited<ReturnType<typeof createTestFleet>>;

const testService = {
  name: "web",
  image: "web:1",
  ports: [],
  resources: {},
  placement: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] },
};
