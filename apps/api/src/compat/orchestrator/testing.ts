import { type ConnectRouter, createClient, createRouterTransport } from "@connectrpc/connect";
import { createHealth } from "@drover/daemon/health";
import { createLog } from "@drover/daemon/log";
import { createMetrics } from "@drover/daemon/metric";
import { openDatabase } from "@drover/db/client";
import { createWakeups } from "@drover/db/listen";
import { createDirectory } from "@drover/db/query/directory";
import { createTestDatabase, runOn } from "@drover/db/testing";
import { createWaker } from "@drover/db/wake";
import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { createDirectSource } from "@drover/worker/direct";
import { createWorker, type Handler } from "@drover/worker/worker";
import { createApp } from "../../app.ts";
import { listen } from "../../listen.ts";
import { createAdvanceLoop } from "../../loop/advance.ts";
import { metrics as declarations } from "../../metric.ts";
import { collectMetrics } from "../../metric/collect.ts";
import { createDefinitionCache } from "../../operation/definition-cache.ts";
import { createSubmitTask } from "../../operation/submit-task.ts";
import { createInterceptors } from "../../rpc/interceptors.ts";
import { createValidation } from "../../rpc/validate.ts";
import { createRunWatch } from "../../watch/run.ts";
import { createTaskWatch } from "../../watch/task.ts";
import { orchestratorService } from "./rpc.ts";

/** The orchestrator's interface over a database of its own, and workers that serve it. */
export async function createOrchestratorBench() {
  const database = await createTestDatabase();
  const db = openDatabase({ url: database.url });
  const wakeups = createWakeups({ url: database.url });
  await wakeups.start();
  const deps = { db, directory: createDirectory({ db }), waker: createWaker({ db }) };
  const log = createLog({ app: "test", level: "silent" });
  const health = createHealth({ checks: { database: "ready" } });
  health.report("database", { ok: true });
  const submitTask = createSubmitTask(deps);
  const metrics = createMetrics({
    declarations,
    collect: (handles) => collectMetrics({ db, handles, maxAgeMs: 0 }),
    hasProcessMetrics: false,
  });
  const validation = createValidation([OrchestratorService]);
  const draining = new AbortController();
  const watch = createTaskWatch({ db, intervalMs: 20 });
  const runWatch = createRunWatch({ db, intervalMs: 20 });
  const definitions = createDefinitionCache();
  const options = { deps, submitTask, watch, runWatch, definitions, metrics, health };
  const routes = (router: ConnectRouter) => router.service(OrchestratorService, orchestratorService(options));
  const interceptors = createInterceptors({ onCall: () => {}, draining: draining.signal, validation });
  const app = createApp({ deps, submitTask, definitions, metrics, health, log });
  const transport = createRouterTransport(routes, { router: { interceptors } });
  const stops: (() => Promise<void>)[] = [];
  return {
    db,
    deps,
    health,
    submitTask,
    app,
    client: createClient(OrchestratorService, transport),
    /** Serves it on a free port, for clients in other languages; answers the address. */
    async serve(): Promise<string> {
      const addresses = ["127.0.0.1:0"];
      const listener = await listen({ addresses, routes, rpc: { interceptors }, fetch: app.fetch, draining });
      stops.push(async () => void (await listener.stop(1000)));
      return `127.0.0.1:${listener.addresses[0]?.port}`;
    },
    /** Advances runs, as a server does. */
    async startAdvance(): Promise<void> {
      const loop = createAdvanceLoop({ deps, wakeups, definitions, isListening: true, log });
      await loop.start();
      stops.push(() => loop.stop(AbortSignal.timeout(1000)));
    },
    /** A worker of the SDK on the same database; resolves once it is registered. */
    async startWorker(handlers: Record<string, Handler>) {
      const name = `worker-${stops.length}`;
      const source = createDirectSource({ db, wakeups, name, types: Object.keys(handlers) });
      let registered = () => {};
      const isRegistered = new Promise<void>((resolve) => (registered = resolve));
      const told = { ...source, register: async () => source.register().finally(registered) };
      const worker = createWorker({ source: told, handlers, log });
      await worker.start();
      await isRegistered;
      const stop = () => worker.stop(AbortSignal.timeout(1000));
      stops.push(stop);
      return { stop: () => (stops.splice(stops.indexOf(stop), 1), stop()) };
    },
    /** Ends every session on the database, as a failover or an administrator does. */
    cutConnections: () =>
      runOn(
        database.url,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      ),
    async close() {
      for (const stop of stops) await stop();
      await wakeups.stop();
      await db.close({ timeoutSeconds: 1 });
      await database.drop();
    },
  };
}

export type OrchestratorBench = Awaited<ReturnType<typeof createOrchestratorBench>>;
