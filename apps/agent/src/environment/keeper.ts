import type { ConfigResult } from "@drover/daemon/config";
import type { Log } from "@drover/daemon/log";
import type { Metrics } from "@drover/daemon/metric";
import type { Executor } from "@drover/db/client";
import { report } from "@drover/db/node/replica";
import type { Owner } from "../docker/owner.ts";
import type { Puller } from "../docker/pull.ts";
import { createServiceEngine, type ServiceEngineOptions } from "../docker/service-engine.ts";
import type { FoundGpu } from "../gpu/found.ts";
import type { GpuWatch } from "../gpu/watch.ts";
import type { metrics as declarations } from "../metric.ts";
import type { ProbeReplica } from "../request/probe.ts";
import { createReplicaProbe } from "../request/replica-probe.ts";
import type { settings } from "../setting.ts";
import { probe } from "./probe/probe.ts";
import { createReconciler, type Reconciler } from "./reconciler.ts";

type Values = Pick<
  ConfigResult<typeof settings>["values"],
  "drift" | "maxConcurrentStarts" | "mounts" | "reconcileSeconds" | "secretsDir"
>;

export interface KeeperOptions {
  values: Values;
  owner: Owner;
  taskBase: string;
  docker: ServiceEngineOptions["docker"];
  puller: Puller;
  gpus: () => readonly FoundGpu[];
  gpuWatch: GpuWatch;
  db: Executor;
  /** The life of this node that speaks; asked for only once it is registered. */
  life: () => { holderId: number; epoch: string };
  metrics: Metrics<typeof declarations>;
  log: Log;
}

/** What keeps this node's replicas, and makes their health checks for those who ask. */
export function createKeeper({
  values,
  owner,
  taskBase,
  docker,
  puller,
  gpus,
  gpuWatch,
  db,
  life,
  metrics,
  log,
}: KeeperOptions): { reconciler: Reconciler; probe: ProbeReplica } {
  const engine = createServiceEngine({ docker });
  const reconciler = createReconciler({
    engine,
    puller,
    rules: {
      ...owner,
      taskBase,
      allowedHostPaths: values.mounts ?? [],
      ...(values.secretsDir !== undefined && { secretsDir: values.secretsDir }),
      describeGpu: (uuid) => gpus().find((gpu) => gpu.uuid === uuid),
      hasGpus: () => gpus().length > 0,
    },
    send: (reports) => report(db, life(), reports),
    gpuWatch,
    metrics: metrics.handles,
    log,
    periodMs: values.reconcileSeconds * 1000,
    maxConcurrentStarts: values.maxConcurrentStarts,
    drift: values.drift,
  });
  return {
    reconciler,
    probe: createReplicaProbe({
      findCheck: (id) => reconciler.findCheck(id),
      inspect: (id) => engine.inspect(id),
      probe: (target, check) => probe(engine, target, check.probe, check.timeoutSeconds * 1000),
    }),
  };
}
