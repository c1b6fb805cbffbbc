import { Hono } from "hono";
import type { Health } from "@drover/daemon/health";
import type { Metrics } from "@drover/daemon/metric";
import type { Log } from "@drover/daemon/log";
import { mountOrchestrator } from "./compat/orchestrator/http.ts";
import type { metrics } from "./metric.ts";
import type { Deps } from "./operation/context.ts";
import type { DefinitionCache } from "./operation/definition-cache.ts";
import type { SubmitTask } from "./operation/submit-task.ts";
import { httpFault } from "./http-fault.ts";

export interface AppOptions {
  deps: Deps;
  submitTask: SubmitTask;
  definitions: DefinitionCache;
  metrics: Metrics<typeof metrics>;
  health: Health;
  log: Log;
}

/** Everything that is not an RPC: health, metrics, and the REST interfaces of the compatible systems. */
export function createApp({ deps, submitTask, definitions, metrics, health, log }: AppOptions): Hono {
  const app = new Hono();
  app.get("/health/live", (c) => c.json({ status: "alive" }, health.state().isLive ? 200 : 503));
  app.get("/health/ready", (c) => {
    const { isReady, checks } = health.state();
    return c.json({ status: isReady ? "ready" : "not_ready", checks }, isReady ? 200 : 503);
  });
  app.get("/metrics", async (c) => c.body(await metrics.expose(), 200, { "content-type": metrics.contentType }));
  mountOrchestrator(app, { deps, submitTask, definitions, health });
  app.notFound((c) => c.text(`There is nothing at ${c.req.method} ${c.req.path}.`, 404));
  app.onError((error, c) => httpFault(error, c, log));
  return app;
}
