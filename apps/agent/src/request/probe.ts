import { setTimeout as delay } from "node:timers/promises";
import type { NodeReply, NodeRequestSpec } from "@drover/db/node/replica";
import { DroverError } from "@drover/domain/error";
import type { Engine } from "../docker/engine.ts";
import type { Answer } from "./answer.ts";
import { listContainers, type ReplicaContainer } from "./container.ts";
import { mapBounded } from "./map-bounded.ts";

export type ProbeSpec = Extract<NodeRequestSpec, { kind: "probe" }>["spec"];

export interface ProbeResult {
  isHealthy: boolean;
  message: string;
  /** As {"probe": "http"}. */
  details: Record<string, string>;
}

/** Makes the health check of a replica once, in its container; undefined: it declares none. */
export type ProbeReplica = (
  replicaId: string,
  containerId: string,
  signal: AbortSignal,
) => Promise<ProbeResult | undefined>;

type Probed = Extract<NodeReply, { probes: unknown }>["probes"][number];

/** Probes replicas now and every so often; with no interval once. One without a health check is healthy while it runs. */
export async function sendProbes(
  { engine, probe }: { engine: Engine; probe: ProbeReplica },
  { replicaIds, intervalSeconds }: ProbeSpec,
  { send, signal }: Pick<Answer, "send" | "signal">,
): Promise<NodeReply | void> {
  while (!signal.aborted) {
    const startedAt = performance.now();
    const body = { probes: await probeAll(engine, probe, replicaIds, signal) };
    if (intervalSeconds <= 0) return body;
    await send(body);
    const restMs = Math.max(minimumRestMs, intervalSeconds * 1000 - (performance.now() - startedAt));
    await delay(restMs, undefined, { signal }).catch(() => undefined);
  }
}

const atOnce = 8;
const minimumRestMs = 100;

async function probeAll(
  engine: Engine,
  probe: ProbeReplica,
  replicaIds: readonly string[],
  signal: AbortSignal,
): Promise<Probed[]> {
  let containers: ReplicaContainer[];
  try {
    containers = await listContainers(engine);
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    const { message } = error;
    return replicaIds.map((replicaId) => ({ replicaId, isHealthy: false, message, details: {} }));
  }
  return mapBounded(replicaIds, atOnce, async (replicaId) => {
    const container = containers.find((one) => one.replicaId === replicaId);
    const startedAt = performance.now();
    const { isHealthy, message, details } = await probeOne(probe, replicaId, container, signal);
    const durationMs = String(Math.round(performance.now() - startedAt));
    return {
      replicaId,
      isHealthy,
      message,
      details: { duration_ms: durationMs, ...(container && { container_id: container.id }), ...details },
    };
  });
}

async function probeOne(
  probe: ProbeReplica,
  replicaId: string,
  container: ReplicaContainer | undefined,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (container === undefined) return { isHealthy: false, message: "It has no container on its node.", details: {} };
  if (!container.isRunning) {
    return { isHealthy: false, message: `Its container does not run: ${container.status}.`, details: {} };
  }
  try {
    const result = await probe(replicaId, container.id, signal);
    return result ?? { isHealthy: true, message: "It runs; no health check is declared.", details: { probe: "none" } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { isHealthy: false, message: `The probe could not be made: ${message}`, details: {} };
  }
}
