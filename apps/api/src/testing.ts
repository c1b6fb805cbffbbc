import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { createHealth } from "@drover/daemon/health";
import { createLog } from "@drover/daemon/log";
import { createMetrics } from "@drover/daemon/metric";
import { type Database, openDatabase } from "@drover/db/client";
import { createWakeups, type Wakeups } from "@drover/db/listen";
import { createDirectory } from "@drover/db/query/directory";
import { createTestDatabase } from "@drover/db/testing";
import { createWaker } from "@drover/db/wake";
import type { Hono } from "hono";
import { createApp } from "./app.ts";
import { metrics as declarations } from "./metric.ts";
import { collectMetrics } from "./metric/collect.ts";
import { createAdvanceRuns } from "./operation/advance-runs.ts";
import type { Deps } from "./operation/context.ts";
import { createDefinitionCache } from "./operation/definition-cache.ts";
import { createSubmitTask } from "./operation/submit-task.ts";
import { registerRoutes, services } from "./routes.ts";
import { createServingStates } from "./rpc/health.ts";
import { createInterceptors } from "./rpc/interceptors.ts";
import { createSizeOptions } from "./rpc/size.ts";
import { createValidation } from "./rpc/validate.ts";
import { createRunWatch } from "./watch/run.ts";
import { createTaskWatch } from "./watch/task.ts";

export interface TestApi {
  /** To the RPC services, without a port. */
  transport: Transport;
  /** The rest of the interface: `app.request("/health")`. */
  app: Hono;
  db: Database;
  deps: Deps;
  wakeups: Wakeups;
  url: string;
  /** Advances runs until nothing is left to do, as the loop of a server would. */
  settleRuns(): Promise<void>;
  close(): Promise<void>;
}

/** The whole API on a database of its own, as a client sees it. */
export async function createTestApi(): Promise<TestApi> {
  const database = await createTestDatabase();
  const db = openDatabase({ url: database.url, maxConnections: 6 });
  const wakeups = createWakeups({ url: database.url });
  await wakeups.start();
  const deps: Deps = { db, directory: createDirectory({ db, classSeconds: 0 }), waker: createWaker({ db }) };
  const health = createHealth({ checks: { database: "ready" } });
  health.report("database", { ok: true });
  const metrics = createMetrics({ declarations, collect: (handles) => collectMetrics({ db, handles }) });
  const submitTask = createSubmitTask(deps);
  const validation = createValidation(services);
  const draining = new AbortController();
  const options = {
    deps,
    submitTask,
    watch: createTaskWatch({ db, intervalMs: 30 }),
    runWatch: createRunWatch({ db, intervalMs: 30 }),
    definitions: createDefinitionCache(),
    nodeDatabaseUrl: database.url,
    wakeups,
    metrics,
    health,
    serving: createServingStates(services.map((service) => service.typeName)),
    validation,
  };
  const advanceRuns = createAdvanceRuns({
    deps,
    definitions: options.definitions,
    onFault: (error) => {
      throw error;
    },
  });
  const transport = createRouterTransport((router) => registerRoutes(router, options), {
    router: {
      ...createSizeOptions(),
      interceptors: createInterceptors({ onCall: () => {}, draining: draining.signal, validation }),
    },
  });
  const log = createLog({ app: "test", level: "silent" });
  return {
    transport,
    app: createApp({ deps, submitTask, definitions: options.definitions, metrics, health, log }),
    db,
    deps,
    wakeups,
    url: database.url,
    async settleRuns() {
      for (let isBusy = true; isBusy;) {
        const { runs, hasMore } = await advanceRuns();
        isBusy = runs > 0 || hasMore;
      }
    },
    async close() {
      await wakeups.stop();
      await db.close();
      await database.drop();
    },
  };
}
