import { type Clock, systemClock } from "@drover/daemon/clock";
import type { Log } from "@drover/daemon/log";
import { createLoop } from "@drover/daemon/loop";
import type { Metrics } from "@drover/daemon/metric";
import type { Service } from "@drover/daemon/service";
import type { WantedReplica } from "@drover/db/node/replica";
import type { DriftPolicy, HealthCheck } from "@drover/domain/environment/declaration";
import { reconcile } from "@drover/domain/environment/reconcile";
import { noteFailure, noteSuccess, type ReplicaMemory } from "@drover/domain/environment/replica-memory";
import { followEvents } from "../docker/event.ts";
import type { Puller } from "../docker/pull.ts";
import { isOwn, ownerLabels } from "../docker/owner.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import type { ServiceEngine } from "../docker/service-engine.ts";
import type { GpuWatch } from "../gpu/watch.ts";
import type { metrics as declarations } from "../metric.ts";
import type { ContainerRules } from "./container.ts";
import { createAnnouncer } from "./announce.ts";
import { createCutOff } from "./cut-off.ts";
import { createGpuHolds } from "./gpu-hold.ts";
import { createTally } from "./tally.ts";
import { createObserver, type Observed } from "./observe.ts";
import { probe } from "./probe/probe.ts";
import { createProber } from "./prober.ts";
import { createReporter, type ReporterOptions } from "./reporter.ts";
import { createResources } from "./resource.ts";
import { gpuUserOf, graceOf, watchedOf } from "./view.ts";
import { createWork, type Done } from "./work.ts";

export interface ReconcilerOptions {
  engine: ServiceEngine;
  /** The one through which the whole agent pulls. */
  puller: Puller;
  rules: ContainerRules;
  /** Of the node protocol. */
  send: ReporterOptions["send"];
  /** Is told which GPUs replicas use. */
  gpuWatch?: Pick<GpuWatch, "hold">;
  metrics: Metrics<typeof declarations>["handles"];
  log: Log;
  /** The longest time between two looks at everything. */
  periodMs?: number;
  maxConcurrentStarts?: number;
  /** What becomes of containers that were changed by hand, where their service does not say. */
  drift?: DriftPolicy;
  clock?: Clock;
}

export interface Reconciler extends Service {
  /** Everything that this node is to keep. */
  desire(replicas: readonly WantedReplica[]): void;
  /** The control plane answered, and wants the next sync after so long. */
  answered(nextSyncMs: number): void;
  /** This node registered: everything has to be told again. */
  registered(): void;
  /** The health check of a replica that this node keeps. */
  findCheck(replicaId: string): HealthCheck | undefined;
}

const engineAwayMs = 1000;

/**
 * Keeps the containers of this node's replicas as they should be: looks at all of them, compares with all that is
 * wanted (domain/environment/reconcile), begins what follows, reports. It does so each period; an event of the engine, a
 * probe, something done or a new wish only shorten the wait. Two looks never overlap; what is done runs beside them.
 */
export function createReconciler({
  engine,
  puller,
  rules,
  send,
  gpuWatch,
  metrics,
  log,
  periodMs = 5000,
  maxConcurrentStarts = 5,
  drift = "converge",
  clock = systemClock,
}: ReconcilerOptions): Reconciler {
  let desired: Map<string, WantedReplica> | undefined;
  let memories = new Map<string, ReplicaMemory>();
  let touched = new Set<string>();
  const made = new Set<string>();
  const unmendable = new Set<string>();
  let fullAtMs = Number.NEGATIVE_INFINITY;
  let isEngineAway = false;
  let engineAwaySinceMs: number | undefined;
  // What went while there was no agent left its networks behind.
  let hasNetworksLeft = true;
  const stopping = new AbortController();

  const wake = () => loop.wake();
  const touch = (containerId: string) => {
    touched.add(containerId);
    wake();
  };
  const tally = createTally(metrics);
  const holds = gpuWatch && createGpuHolds({ watch: gpuWatch, engine, onFault: wake });
  const cutOff = createCutOff({ now: () => clock.now() });
  const reporter = createReporter({ send, log, clock });
  const observer = createObserver({ engine, owner: rules });
  const resources = createResources({ engine, owner: rules });
  const work = createWork({ engine, puller, resources, rules, onDone: noteDone, onProgress: wake, log, clock });
  const announcer = createAnnouncer({ engine, reporter, tally, pullOf: (id) => work.pullOf(id), clock });
  const prober = createProber({
    probe: (target, check, timeoutMs) => probe(engine, target, check.probe, timeoutMs),
    onChange: wake,
    onProbed: tally.probed,
    clock,
  });

  function noteDone(wanted: WantedReplica, { action, result, seconds }: Done): void {
    const memory = memories.get(wanted.id);
    if (result.kind === "failed") holds?.hear(wanted.id, result.message);
    tally.done(wanted, action, result, seconds);
    if (memory !== undefined && result.kind === "done") memories.set(wanted.id, noteSuccess(memory, action));
    const isEnd = action.kind === "stop" || action.kind === "remove";
    if (memory !== undefined && result.kind === "failed" && !isEnd)
      memories.set(wanted.id, noteFailure(memory, action, wanted.spec.service.restart, result.message, clock.now()));
    if (action.kind === "remove") hasNetworksLeft = true;
    if (result.kind === "done" && result.containerId !== undefined) made.add(result.containerId);
    if ("containerId" in action) touched.add(action.containerId);
    wake();
  }

  async function look(): Promise<{ nextMs: number }> {
    const isFull = clock.now() - fullAtMs >= periodMs * 0.9;
    const [looking, busyBefore] = [touched, work.busy];
    touched = new Set();
    const observed = await observer.observe({ wanted: desired ?? new Map(), touched: looking, isFull });
    if (stopping.signal.aborted) return { nextMs: periodMs };
    if (observed === undefined) {
      if (!isEngineAway) log.warn("the container engine gives no list; nothing is concluded from that");
      isEngineAway = true;
      engineAwaySinceMs ??= clock.now();
      for (const id of looking) touched.add(id);
      return { nextMs: Math.min(periodMs, engineAwayMs) };
    }
    if (isEngineAway) log.info("the container engine answers again");
    isEngineAway = false;
    if (isFull) fullAtMs = clock.now();
    const wakeAtMs = desired === undefined ? stopUnknown(observed) : await compare(desired, observed, busyBefore);
    return { nextMs: Math.max(0, Math.min(fullAtMs + periodMs, wakeAtMs) - clock.now()) };
  }

  const faultOf = (containerId: string) => {
    const fault = holds?.faultOf(containerId);
    return fault !== undefined && { fault };
  };

  /** Before the first answer it is only known what must not go on for long without one. */
  function stopUnknown(observed: readonly Observed[]): number {
    let wakeAtMs = Number.POSITIVE_INFINITY;
    for (const { id, state, labels, inspection } of observed) {
      const afterSeconds = labels[replicaLabels.stopAfter];
      if (state !== "running" || afterSeconds === undefined || work.busy.has(id)) continue;
      const atMs = cutOff.stopAtMsByLabel(Number(afterSeconds));
      if (clock.now() >= atMs) work.endStray({ kind: "stop", containerId: id }, graceOf(inspection));
      else wakeAtMs = Math.min(wakeAtMs, atMs);
    }
    return wakeAtMs;
  }

  async function compare(
    wanted: ReadonlyMap<string, WantedReplica>,
    observed: readonly Observed[],
    busyBefore: ReadonlySet<string>,
  ): Promise<number> {
    const nowMs = clock.now();
    const isCutOff = (one: WantedReplica) => one.wanted === "running" && cutOff.stopAtMs(one) <= nowMs;
    for (const one of observed) if (made.delete(one.id) && one.drift.length > 0) unmendable.add(one.id);
    const answer = reconcile({
      desired: [...wanted.values()].map((one) => (isCutOff(one) ? { ...one, wanted: "stopped" as const } : one)),
      found: observed.map((one) => ({ ...one, ...faultOf(one.id) })),
      memories,
      health: prober.health,
      // What ended while the engine was asked may have changed what it answered.
      busy: new Set([...busyBefore, ...work.busy]),
      freeStarts: maxConcurrentStarts - work.starts,
      unmendable,
      drift,
      ...(engineAwaySinceMs !== undefined && { engineAwaySinceMs }),
      nowMs,
    });
    engineAwaySinceMs = undefined;
    memories = new Map(answer.steps.map(({ desired: { id }, memory }) => [id, memory]));
    const byId = new Map(observed.map((one) => [one.id, one]));
    for (const { desired: one, action } of answer.steps) {
      const replica = wanted.get(one.id);
      if (replica !== undefined && action !== undefined) work.begin(replica, action);
    }
    for (const stray of answer.strays) {
      if ("containerId" in stray) work.endStray(stray, graceOf(byId.get(stray.containerId)?.inspection));
      hasNetworksLeft = true;
    }
    prober.watch(watchedOf(answer.steps, wanted, byId));
    holds?.keep(answer.steps.flatMap(gpuUserOf));
    for (const { desired: one, status } of answer.steps)
      if (status?.isHealthy === false) holds?.hear(one.id, status.message);
    await announcer.announce(answer.steps, wanted, byId, isCutOff);
    if (hasNetworksLeft && work.busy.size === 0) {
      hasNetworksLeft = false;
      await resources.prune([...wanted.values()].filter((one) => one.wanted !== "gone"));
    }
    return Math.min(answer.wakeAtMs, ...[...wanted.values()].filter((one) => !isCutOff(one)).map(cutOff.stopAtMs));
  }

  const loop = createLoop({ name: "replicas", intervalMs: periodMs, jitter: 0, log, clock, run: look });
  let following: Promise<void> = Promise.resolve();

  return {
    name: "replicas",
    async start() {
      following = followEvents({
        engine,
        labels: [`${ownerLabels.holder}=${rules.holder}`, replicaLabels.replica],
        onEvent: ({ containerId, labels }) => isOwn(rules, labels) && touch(containerId),
        onOpen() {
          fullAtMs = Number.NEGATIVE_INFINITY;
          wake();
        },
        onBreak: () => void (engineAwaySinceMs ??= clock.now()),
        signal: stopping.signal,
      });
      await loop.start();
    },
    async stop(deadline) {
      stopping.abort();
      work.stop();
      prober.stop();
      reporter.stop();
      await loop.stop(deadline);
      await following;
    },
    desire(replicas) {
      desired = new Map(replicas.map((one) => [one.id, one]));
      // What is gone may have had a network and no container.
      hasNetworksLeft = true;
      wake();
    },
    answered(nextSyncMs) {
      const wasCutOff = desired?.values().some((one) => cutOff.stopAtMs(one) <= clock.now()) === true;
      cutOff.answered(nextSyncMs);
      if (wasCutOff) wake();
    },
    registered: () => reporter.registered(),
    findCheck: (replicaId) => desired?.get(replicaId)?.spec.service.health,
  };
}
