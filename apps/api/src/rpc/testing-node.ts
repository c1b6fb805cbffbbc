import { createClient } from "@connectrpc/connect";
import { type Database, openDatabase } from "@drover/db/client";
import { register } from "@drover/db/node/register";
import { sync, type SyncAnswer } from "@drover/db/node/sync";
import { submit } from "@drover/db/query/submit";
import { NodeService } from "@drover/proto/drover/node";
import { TaskService } from "@drover/proto/drover/task";
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
  const tasks = createClient(TaskService, api.transport);
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
  return {
    api,
    nodes,
    tasks,
    connect,
    begin,
    async join(name: string, labels: Record<string, string> = {}): Promise<TestNode> {
      const { token } = await nodes.createJoinToken({ labels });
      const { databaseUrl } = await nodes.join({ token, name });
      return begin(name, databaseUrl);
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
