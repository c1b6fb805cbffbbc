import { type Client, createClient } from "@connectrpc/connect";
import { register } from "@drover/db/node/register";
import { report, type ReplicaReport, type WantedReplica } from "@drover/db/node/replica";
import { sync } from "@drover/db/node/sync";
import { EnvironmentService } from "@drover/proto/drover/environment";
import { sql } from "drizzle-orm";
import { rollOut } from "../operation/roll-out.ts";
import { createTestApi, type TestApi } from "../testing.ts";

/** A node whose containers are in the hands of the test. */
export interface TestNode {
  holderId: number;
  /** Everything that it is told to keep, as `web 1 running`. */
  desired(): Promise<WantedReplica[]>;
  /** Says of each replica what becomes of it. */
  say(become: (replica: WantedReplica) => Partial<ReplicaReport> | undefined): Promise<void>;
  /** Does what it is told: what is to run runs, what is to stop has stopped, what is to go is gone. */
  comply(): Promise<void>;
}

export interface TestEnvironments {
  api: TestApi;
  client: Client<typeof EnvironmentService>;
  node(name: string): Promise<TestNode>;
  /** Puts what has no node of an environment on one, as placement would. */
  place(name: string, node: TestNode): Promise<void>;
  /** Has a node fall silent for longer than its lease. */
  lose(node: TestNode): Promise<void>;
  /** One turn of the roll-out of an environment. */
  rollOut(name: string): Promise<void>;
  /** Has everything that was said been said so long ago. */
  age(seconds: number): Promise<void>;
}

/** The API with nodes that obey. */
export async function openTestEnvironments(): Promise<TestEnvironments> {
  const api = await createTestApi();
  const { db, deps } = api;
  return {
    api,
    client: createClient(EnvironmentService, api.transport),
    async node(name) {
      const life = await register(db, {
        kind: "node",
        name,
        namespace: "default",
        executors: ["docker"],
        taskTypes: [],
        classes: null,
        slots: {},
        facts: {},
        version: "",
      });
      const desired = async () => {
        const answer = await sync(db, life, {}, false);
        return answer.status === "ok" ? (answer.replicas ?? []) : [];
      };
      const say: TestNode["say"] = async (become) => {
        const reports = (await desired()).flatMap((replica): ReplicaReport[] => {
          const said = become(replica);
          const { id: replicaId, specHash, round } = replica;
          return said === undefined ? [] : [{ replicaId, specHash, round, state: "running", ...said }];
        });
        await report(db, life, reports);
      };
      const states = { running: "running", stopped: "stopped", gone: "gone" } as const;
      return { holderId: life.holderId, desired, say, comply: () => say(({ wanted }) => ({ state: states[wanted] })) };
    },
    async place(name, node) {
      await db.run(sql`
        update drover.replica r set holder_id = ${node.holderId}, placed_at = now()
          from drover.environment e
         where e.id = r.environment_id and e.name = ${name} and r.holder_id is null`);
      await db.run(sql`select drover.touch_holders(array[${node.holderId}::integer])`);
    },
    async lose(node) {
      await db.run(sql`delete from drover.holder_lease where holder_id = ${node.holderId}`);
    },
    async rollOut(name) {
      const [row] = await db.run<{ id: number }>(sql`select id from drover.environment where name = ${name}`);
      if (row !== undefined) await rollOut(deps, row.id);
    },
    async age(seconds) {
      await db.run(sql`update drover.replica set updated_at = updated_at - ${seconds} * interval '1 second'`);
      await db.run(sql`update drover.replica_status set changed_at = changed_at - ${seconds} * interval '1 second'`);
    },
  };
}

/** Replicas in short: `web 1 running shop:2 0`. */
export function inShort(replicas: readonly WantedReplica[]): string[] {
  return replicas
    .map(({ service, number, wanted, spec, round }) => `${service} ${number} ${wanted} ${spec.service.image} ${round}`)
    .toSorted();
}
