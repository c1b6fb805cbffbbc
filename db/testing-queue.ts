import { sql } from "drizzle-orm";
import { expect } from "vitest";
import { type Database, type Executor, openDatabase } from "./client.ts";
import { register } from "./node/register.ts";
import { claim, type WorkerClaim } from "./node/sync.ts";
import { ensureQueue, findNamespace } from "./query/queue.ts";
import { type NewTask, submit, type SubmitContext } from "./query/submit.ts";
import { createTestDatabase } from "./testing.ts";

export interface TestHolder {
  holderId: number;
  epoch: string;
}

/** A database of the test's own with what tests of the queue do again and again. */
export interface TestQueue {
  url: string;
  db: Database;
  context: SubmitContext;
  /** The queue of a task type in a class; the class is made where it does not exist. */
  queue(options?: { className?: string; taskType?: string }): Promise<number>;
  submit(tasks: readonly NewTask[]): Promise<string[]>;
  /** A worker of the SDK that takes every type. */
  worker(name: string, options?: { classes?: string[]; taskTypes?: string[] }): Promise<TestHolder>;
  node(name: string, slots: Record<string, number>): Promise<TestHolder>;
  claimOne(holder: TestHolder): Promise<WorkerClaim>;
  /** A session of its own, for what must happen in two connections at once; closed with the queue. */
  session(): Promise<TestSession>;
  count(table: string): Promise<number>;
  close(): Promise<void>;
}

export interface TestSession extends Executor {
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Resolves when this session waits for a lock that another one holds. */
  isBlocked(): Promise<void>;
}

/** Clones the migrated database and opens it. */
export async function openTestQueue(): Promise<TestQueue> {
  const { url, drop } = await createTestDatabase();
  // Whoever waits for a lock that long waits for a test that failed.
  const db = openDatabase({ url, maxConnections: 10, statementTimeoutMs: 10_000 });
  const namespaceId = (await findNamespace(db, "default")) ?? 0;
  const context = { namespaceId, actor: "test" };
  const sessions: Database[] = [];

  const begin = async (
    kind: "node" | "worker",
    name: string,
    parts: { classes?: string[]; taskTypes?: string[]; slots?: Record<string, number> },
  ) =>
    register(db, {
      kind,
      name,
      namespace: "default",
      executors: kind === "worker" ? ["worker"] : ["docker", "process"],
      taskTypes: parts.taskTypes ?? (kind === "worker" ? ["*"] : []),
      classes: parts.classes ?? null,
      slots: parts.slots ?? {},
      facts: {},
      version: "test",
    });

  return {
    url,
    db,
    context,
    async queue({ className = "cpu_short", taskType = "echo" } = {}) {
      await db.run(
        sql`insert into drover.class (namespace_id, name) values (${namespaceId}, ${className}) on conflict do nothing`,
      );
      const [row] = await db.run<{ id: number }>(
        sql`select id from drover.class where namespace_id = ${namespaceId} and name = ${className}`,
      );
      const executor = taskType === "" ? "docker" : "worker";
      return ensureQueue(db, { namespaceId, classId: row?.id ?? 0, executor, taskType });
    },
    submit: (tasks) => submit(db, context, tasks),
    worker: (name, options = {}) => begin("worker", name, options),
    node: (name, slots) => begin("node", name, { slots }),
    async claimOne(holder) {
      const [one] = await claim(db, holder, 1);
      if (one === undefined) throw new Error("expected a task to claim, got none");
      return one;
    },
    async session() {
      const session = openDatabase({ url, maxConnections: 1 });
      sessions.push(session);
      const [row] = await session.run<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      return {
        run: (statement) => session.run(statement),
        begin: async () => void (await session.run(sql`begin`)),
        commit: async () => void (await session.run(sql`commit`)),
        rollback: async () => void (await session.run(sql`rollback`)),
        async isBlocked() {
          await expect
            .poll(
              async () => {
                const [found] = await db.run<{ blockers: number[] }>(
                  sql`select pg_blocking_pids(${row?.pid ?? 0}) as blockers`,
                );
                return found?.blockers.length ?? 0;
              },
              { timeout: 10_000, interval: 5 },
            )
            .toBeGreaterThan(0);
        },
      };
    },
    async count(table) {
      const [row] = await db.run<{ count: string }>(sql`select count(*) as count from drover.${sql.identifier(table)}`);
      return Number(row?.count ?? 0);
    },
    async close() {
      await Promise.all([db, ...sessions].map((one) => one.close({ timeoutSeconds: 1 })));
      await drop();
    },
  };
}
