import { resolve } from "node:path";
import type { ConfigResult } from "@drover/daemon/config";
import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import { createMetrics } from "@drover/daemon/metric";
import type { Service } from "@drover/daemon/service";
import { openDatabase } from "@drover/db/client";
import { createWakeups } from "@drover/db/listen";
import { reply } from "@drover/db/node/replica";
import { appendLog } from "@drover/db/node/settle";
import { createAgent } from "./agent.ts";
import { connect } from "./docker/connect.ts";
import { createEngine } from "./docker/engine.ts";
import { listImageNames } from "./docker/image-list.ts";
import type { Owner } from "./docker/owner.ts";
import { createPuller } from "./docker/pull.ts";
import { createContainerReader } from "./docker/reader.ts";
import { createServiceEngine } from "./docker/service-engine.ts";
import { createKeeper } from "./environment/keeper.ts";
import { type ProviderConfig, withCallSlots } from "./executor/llm/provider-config.ts";
import { createExecutors } from "./executors.ts";
import { createReplicaWatch } from "./gpu/replica-watch.ts";
import { withGpuSlots } from "./gpu/slot.ts";
import type { HeldLogin } from "./held-login.ts";
import { metrics as declarations } from "./metric.ts";
import type { Notebook } from "./notebook.ts";
import { createPossessions } from "./possession.ts";
import { createReadiness } from "./readiness.ts";
import { createRequestDesk } from "./request/desk.ts";
import { createRequestHandlers } from "./request/handlers.ts";
import type { settings } from "./setting.ts";
import { createNodeSource } from "./source.ts";
import { createStatusPage } from "./status-page.ts";

export interface HostOptions {
  values: ConfigResult<typeof settings>["values"];
  /** What this agent was told in its former lives. */
  notebook: Notebook;
  /** Providers of models, with their keys. */
  providers: readonly ProviderConfig[];
  login: HeldLogin;
  name: string;
  version: string;
  /** Told when another agent registered under this name. */
  onSuperseded: () => void;
  /** Told when the database does not take this node's login. */
  onRefused: (error: unknown) => void;
  log: Log;
}

/** Everything that an agent runs, as services in the order in which they start. */
export async function createHost({
  values,
  notebook,
  providers,
  login,
  name,
  version,
  onSuperseded,
  onRefused,
  log,
}: HostOptions): Promise<Service[]> {
  const slots = () => withGpuSlots(withCallSlots(values.slots, providers), inventory.gpus);
  const connection = { url: login.url, ...(login.password && { password: login.password }) };
  const db = openDatabase({
    ...connection,
    maxConnections: 1,
    // Well within a lease: an agent that hears nothing has to find another way while it can still renew.
    statementTimeoutMs: 5_000,
    isPooled: values.isPooled,
    applicationName: `drover-agent ${name}`,
  });
  const wakeups = values.notify && !values.isPooled ? createWakeups(connection) : undefined;
  const metrics = createMetrics({ declarations });
  const taskBase = resolve(values.taskDir);
  const owner: Owner = { holder: name, installation: () => notebook.notes.installation };
  const docker = connect(values.dockerHost === undefined ? {} : { host: values.dockerHost });
  const engine = createEngine({ docker });
  const puller = createPuller({ engine });
  const { inventory, watch } = await createPossessions({
    values,
    listImages: values.docker ? () => listImageNames(docker) : undefined,
    db,
    life: () => source,
    metrics,
    async onGpus() {
      await readiness.describeHost();
      await readiness.probe();
      await source.describe();
    },
    log,
  });
  const hasGpus = () => inventory.gpus.length > 0;
  const watchReplicas = createReplicaWatch({ engine, owner, watch, log });
  const executors = await createExecutors({
    values,
    providers,
    owner,
    taskBase,
    life: () => source,
    puller,
    hasGpus,
  });
  const readiness = await createReadiness({ executors, inventory, taskBase, metrics });
  log.info({ executors: readiness.executors, slots: slots(), facts: readiness.facts }, "this host");

  const keeper = createKeeper({
    values,
    owner,
    taskBase,
    docker,
    puller,
    gpus: () => inventory.gpus,
    gpuWatch: watch,
    db,
    life: () => source,
    metrics,
    log,
  });
  const requests = createRequestDesk({
    handlers: createRequestHandlers({
      engine,
      reader: createContainerReader({ docker }),
      puller,
      images: createServiceEngine({ docker }),
      probe: keeper.probe,
    }),
    reply: (part) => reply(db, source, part),
    log,
  });
  const source = createNodeSource({
    db,
    ...(wakeups && { wakeups }),
    name,
    version,
    facts: () => ({
      executors: readiness.executors,
      taskTypes: providers.map((one) => one.name),
      slots: slots(),
      facts: readiness.facts,
    }),
    onInstallation: (installation) => notebook.note({ installation }),
    onHeld(held) {
      agent.takeUp(held);
      inventory.registered();
      keeper.reconciler.registered();
    },
    onReplicas: (replicas) => keeper.reconciler.desire(replicas),
    onAnswer: (nextSyncMs) => keeper.reconciler.answered(nextSyncMs),
    onRequests: (open) => requests.take(open),
    isRefused: (error) => login.isRefused(error),
    onRefused,
  });
  const agent = createAgent({
    source,
    executors,
    slots,
    gpus: { list: () => inventory.gpus, watch },
    shipLogs: { append: (claim, chunk, lines) => appendLog(db, source, claim, chunk, lines) },
    graceSeconds: values.graceSeconds,
    metrics,
    onSuperseded,
    log,
  });

  return [
    // Binds its address before anything else: a second start by mistake ends here, and takes nobody's name.
    createStatusPage({
      addresses: values.listen,
      metrics: {
        contentType: metrics.contentType,
        expose() {
          metrics.handles.leased.set(agent.isLeased ? 1 : 0);
          return metrics.expose();
        },
      },
      health: () => ({
        ok: agent.isLeased,
        body: {
          status: agent.isLeased ? "healthy" : "unhealthy",
          // The agent serves the env-manager's address, whose clients look for this name.
          service: "env-manager",
          app: "agent",
          node: name,
          executors: readiness.executors,
          running: agent.inHand,
          timestamp: new Date().toISOString(),
        },
      }),
    }),
    { name: "database", start: async () => {}, stop: () => db.close() },
    {
      name: "wakeups",
      start: async () => void wakeups?.start().catch((error: unknown) => log.warn({ error }, "no hints; polling")),
      stop: async () => wakeups?.stop(),
    },
    {
      name: "agent",
      start: () => agent.start(),
      stop: () => {
        // Killing takes its grace: what still runs is stopped early enough to be proven gone before the deadline.
        const drainMs = Math.max(0, values.stopSeconds - values.graceSeconds - 3) * 1000;
        return agent.stop(values.onStop, AbortSignal.timeout(drainMs));
      },
    },
    ...(values.docker ? [keeper.reconciler] : []),
    { name: "requests", start: async () => {}, stop: async () => requests.stop() },
    createLoop({
      name: "probe",
      intervalMs: 10_000,
      log,
      async run() {
        if (!(await readiness.probe())) return;
        log.info({ executors: readiness.executors }, "what this host can run has changed");
        await source.describe();
      },
    }),
    inventory.loop,
    ...(values.docker
      ? [
          createLoop({
            name: "gpu-probe",
            intervalMs: 60_000,
            log,
            run: async () => (hasGpus() ? watchReplicas() : undefined),
          }),
        ]
      : []),
    createLoop({ name: "login", intervalMs: 3_600_000, log, run: () => login.renew() }),
    createLoop({ name: "sweep", intervalMs: 30_000, log, run: () => agent.sweep() }),
  ];
}
