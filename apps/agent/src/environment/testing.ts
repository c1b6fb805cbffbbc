import { onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createMetrics, type Metrics } from "@drover/daemon/metric";
import type { ReplicaReport, WantedReplica } from "@drover/db/node/replica";
import type { HealthCheck, Network, Service, Volume } from "@drover/domain/environment/declaration";
import { connect } from "../docker/connect.ts";
import { createEngine } from "../docker/engine.ts";
import { createPuller } from "../docker/pull.ts";
import { createServiceEngine } from "../docker/service-engine.ts";
import { testImage } from "../docker/testing.ts";
import { metrics as declarations } from "../metric.ts";
import type { ContainerRules } from "./container.ts";
import { createReconciler, type Reconciler, type ReconcilerOptions } from "./reconciler.ts";

let names = 0;

/** A name that no other test has, for a node, an environment or what else the engine knows by its name. */
export function uniqueName(kind: string): string {
  names += 1;
  return `${kind}-${process.pid}-${Date.now().toString(36)}-${names}`;
}

export interface WantOptions extends Partial<Omit<WantedReplica, "spec">> {
  spec?: Partial<Service>;
  networks?: Network[];
  volumes?: Volume[];
}

let ids = Date.now() * 1000;

/** A replica of a service that runs on without end, and answers SIGTERM. */
export function wantReplica({ spec, networks, volumes = [], ...rest }: WantOptions): WantedReplica {
  ids += 1;
  const used = networks ?? [{ name: "default" }];
  return {
    id: String(ids),
    namespace: "default",
    environment: "test",
    service: "web",
    number: 1,
    generation: 1,
    specHash: "hash-1",
    wanted: "running",
    round: 0,
    gpus: null,
    unmet: null,
    ...rest,
    spec: {
      networks: used,
      volumes,
      service: {
        name: rest.service ?? "web",
        image: testImage,
        pull: "missing",
        command: sleeping,
        env: {},
        ports: [],
        mounts: [],
        networks: used.map(({ name }) => name),
        dependsOn: [],
        isRequired: true,
        restart: { when: "always", baseDelaySeconds: 0.2, maxDelaySeconds: 2 },
        resources: {},
        replicas: 1,
        placement: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] },
        update: { maxUnavailable: 1, healthySeconds: 0, onFailure: "pause" },
        onDisconnect: { kind: "keep" },
        stopGraceSeconds: 1,
        isReadOnlyRoot: false,
        labels: {},
        ...spec,
      },
    },
  };
}

/** Runs a script of the shell and then waits, ending at once on SIGTERM. */
export function staying(script: string): string[] {
  return ["sh", "-c", `trap 'exit 0' TERM\n${script}\nwhile :; do sleep 1000 & wait $!; done`];
}

const sleeping = staying("true");

/** A check that fits tests: quick. */
export function checkBy(probe: HealthCheck["probe"], rest: Partial<HealthCheck> = {}): HealthCheck {
  return { probe, intervalSeconds: 0.2, timeoutSeconds: 1, retries: 2, startSeconds: 20, ...rest };
}

export interface TestAgent {
  holder: string;
  reconciler: Reconciler;
  metrics: Metrics<typeof declarations>;
  /** What was last told of a replica. */
  said(replica: WantedReplica): ReplicaReport | undefined;
  /** Everything that was told, in order. */
  history: ReplicaReport[];
  stop(): Promise<void>;
}

export interface TestAgentOptions extends Partial<Omit<ReconcilerOptions, "rules">> {
  host: string;
  holder: string;
  rules?: Partial<ContainerRules>;
}

/** A reconciler over a real engine; what it was told to keep is not removed by its stop. */
export async function startTestAgent({ host, holder, rules, ...options }: TestAgentOptions): Promise<TestAgent> {
  const docker = connect({ host });
  const last = new Map<string, ReplicaReport>();
  const history: ReplicaReport[] = [];
  const metrics = createMetrics({ declarations, hasProcessMetrics: false });
  const reconciler = createReconciler({
    engine: createServiceEngine({ docker }),
    puller: createPuller({ engine: createEngine({ docker }) }),
    rules: { holder, allowedHostPaths: [], taskBase: "/nonexistent", ...rules },
    async send(reports) {
      history.push(...reports);
      for (const report of reports) last.set(report.replicaId, report);
      return true;
    },
    metrics: metrics.handles,
    log: createLog({ app: "test", level: "silent" }),
    periodMs: 1000,
    ...options,
  });
  await reconciler.start();
  reconciler.registered();
  reconciler.answered(1000);
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await reconciler.stop(AbortSignal.timeout(5000));
  };
  onTestFinished(stop);
  return { holder, reconciler, metrics, said: ({ id }) => last.get(id), history, stop };
}

/** Removes what a node left in the engine: containers, networks, volumes. */
export async function clearNode(host: string, holder: string): Promise<void> {
  const docker = connect({ host });
  const filters = { label: [`drover.holder=${holder}`] };
  for (const { Id: id } of await docker.listContainers({ all: true, filters })) {
    await docker
      .getContainer(id)
      .remove({ force: true, v: true })
      .catch(() => undefined);
  }
  for (const { Id: id } of await docker.listNetworks({ filters })) await docker.getNetwork(id).remove();
  for (const { Name: name } of (await docker.listVolumes({ filters })).Volumes) await docker.getVolume(name).remove();
}
