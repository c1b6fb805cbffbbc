import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type ConfigResult } from "@drover/daemon/config";
import { createHealth } from "@drover/daemon/health";
import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import { createMetrics } from "@drover/daemon/metric";
import type { Service } from "@drover/daemon/service";
import { within } from "@drover/daemon/deadline";
import { openDatabase } from "@drover/db/client";
import { createWakeups } from "@drover/db/listen";
import { ping, setControl } from "@drover/db/query/control";
import { createDirectory } from "@drover/db/query/directory";
import { createWaker, silentWaker } from "@drover/db/wake";
import { formatAddress } from "@drover/daemon/address";
import { createAdvanceLoop } from "./loop/advance.ts";
import { createApp } from "./app.ts";
import { createEnvManagerConfiguration } from "./env-manager-configuration.ts";
import { createEnvironmentLoop } from "./loop/environment.ts";
import { listen, type Listener } from "./listen.ts";
import { createDrainLoop } from "./loop/drain.ts";
import { createLoops } from "./loop/upkeep.ts";
import { metrics as declarations } from "./metric.ts";
import { collectMetrics } from "./metric/collect.ts";
import type { Deps } from "./operation/context.ts";
import { createDefinitionCache } from "./operation/definition-cache.ts";
import { startRun } from "./operation/start-run.ts";
import { createSubmitTask } from "./operation/submit-task.ts";
import { registerRoutes, services } from "./routes.ts";
import { createRequestGate } from "./rpc/gate.ts";
import { createServingStates } from "./rpc/health.ts";
import { createInterceptors } from "./rpc/interceptors.ts";
import type { ObservedCall } from "./rpc/observe.ts";
import { createRunWatch } from "./watch/run.ts";
import { createPlaceLoop } from "./loop/place.ts";
import { createScheduleLoop } from "./loop/schedule.ts";
import { createSizeOptions } from "./rpc/size.ts";
import { createValidation } from "./rpc/validate.ts";
import type { settings } from "./setting.ts";
import { createTaskWatch } from "./watch/task.ts";

export interface ServerOptions {
  values: ConfigResult<typeof settings>["values"];
  databaseUrl: string;
  log: Log;
  tls?: { cert: string; key: string };
  /** Told the addresses once they are served. */
  onListening?: (urls: string[]) => void;
  /** Takes what is to be done when files are to be read anew. */
  onReload?: (reload: () => void) => void;
  readFile?: (path: string) => string;
}

const noticeMs = 100;

/** The control plane on one database, as services in the order in which they start. */
export function createServer({
  values,
  databaseUrl,
  log,
  tls,
  onListening = () => {},
  onReload = () => {},
  readFile = (path) => readFileSync(path, "utf8"),
}: ServerOptions): Service[] {
  const directUrl = values.databaseDirectUrl ?? databaseUrl;
  const db = openDatabase({
    url: databaseUrl,
    maxConnections: values.connections,
    isPooled: values.isPooled,
    applicationName: "drover-api",
  });
  const wakeups = createWakeups({ url: directUrl });
  const waker = values.notify ? createWaker({ db }) : silentWaker;
  const deps: Deps = { db, directory: createDirectory({ db }), waker };
  const health = createHealth({ checks: { database: "ready" } });
  const serving = createServingStates(services.map((service) => service.typeName));
  const metrics = createMetrics({ declarations, collect: (handles) => collectMetrics({ db, handles }) });
  const submitTask = createSubmitTask(deps);
  const validation = createValidation(services);
  const watch = createTaskWatch({ db });
  const runWatch = createRunWatch({ db });
  const definitions = createDefinitionCache();
  const draining = new AbortController();
  let listener: Listener | undefined;

  const onCall = (call: ObservedCall) => {
    metrics.handles.rpcSeconds.observe(
      { service: call.service, method: call.method, code: call.code },
      call.durationMs / 1000,
    );
    const isOurFault = call.code === "internal" || call.code === "unknown";
    const line = {
      requestId: call.requestId,
      method: `${call.service}/${call.method}`,
      code: call.code,
      ms: Math.round(call.durationMs),
    };
    if (isOurFault) log.error({ ...line, error: call.error }, "call failed");
    else log.debug(line, "call");
  };
  const database: Service = {
    name: "database",
    async start() {
      await setControl(db, values);
      health.report("database", { ok: true });
    },
    stop: () => db.close(),
  };
  const hints: Service = {
    name: "wakeups",
    start: () => (values.notify ? wakeups.start() : Promise.resolve()),
    stop: () => wakeups.stop(),
  };
  const probe = createLoop({
    name: "database probe",
    intervalMs: 10_000,
    log,
    async run(signal) {
      try {
        await within(ping(db), {
          deadline: AbortSignal.any([signal, AbortSignal.timeout(5_000)]),
          what: "the database to answer",
        });
        health.report("database", { ok: true });
      } catch (error) {
        health.report("database", { ok: false, message: "The database does not answer." });
        log.warn({ error }, "the database does not answer");
      }
    },
  });
  const front: Service = {
    name: "listener",
    async start() {
      listener = await listen({
        addresses: values.listen.map(formatAddress),
        routes: (router) =>
          registerRoutes(router, {
            deps,
            submitTask,
            watch,
            runWatch,
            definitions,
            envManagerEnvironment: values.envManagerEnvironment,
            nodeDatabaseUrl: values.nodeDatabaseUrl ?? directUrl,
            wakeups,
            metrics,
            health,
            serving,
            validation,
          }),
        rpc: {
          ...createSizeOptions(),
          requestGate: createRequestGate({ onCall }),
          interceptors: createInterceptors({ onCall, draining: draining.signal, validation }),
        },
        fetch: createApp({ deps, submitTask, definitions, metrics, health, log }).fetch,
        ...(tls && { tls }),
        draining,
        onFault: (error) => log.warn({ error }, "transport fault"),
      });
      const urls = listener.addresses.map((address) => address.url);
      log.info({ urls }, "listening");
      onListening(urls);
    },
    async stop(deadline) {
      health.drain();
      // Whoever watches health hears of it before anything ends here.
      await pause(noticeMs, undefined, { signal: deadline }).catch(() => undefined);
      const cut = await listener?.stop(deadline.aborted ? 0 : Math.max(500, values.stopSeconds * 800));
      if (cut) log.warn({ cut }, "calls were cut off at the deadline");
    },
  };
  health.subscribe(({ isReady }) => serving.set(isReady ? "serving" : "not_serving"));
  const onSweep = (report: { live: number; taken: number }) => {
    metrics.handles.liveHolders.set(report.live);
    metrics.handles.sweepTaken.inc(report.taken);
  };
  const onAdvanced = (runs: number) => metrics.handles.runsAdvanced.inc(runs);
  const advance = createAdvanceLoop({ deps, wakeups, isListening: values.notify, log, definitions, onAdvanced });
  const environments = createEnvironmentLoop({ deps, log, wakeups, idleMs: values.notify ? 5000 : 1000 });
  const placing = createPlaceLoop({ deps, wakeups, isListening: values.notify, log });
  const schedules = createScheduleLoop({ deps, log, wakeups, start: startRun });
  const { envManagerConfig: path, envManagerEnvironment: environment, envManagerStartSeconds: startSeconds } = values;
  const envManager =
    path === undefined
      ? []
      : [
          createEnvManagerConfiguration({
            deps,
            log,
            environment,
            path,
            readFile,
            ...(startSeconds !== undefined && { startSeconds }),
          }),
        ];
  onReload(() => envManager.forEach((configuration) => void configuration.reload()));
  return [
    database,
    hints,
    ...envManager,
    ...createLoops({ deps, log, ...values, onSweep }),
    createDrainLoop({ deps, log }),
    advance,
    environments,
    placing,
    schedules,
    probe,
    front,
  ];
}
