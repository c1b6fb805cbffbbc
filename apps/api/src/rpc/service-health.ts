import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { NodeReply } from "@drover/db/node/replica";
import type { ServiceReplicaRow } from "@drover/db/query/node-request";
import { type StreamServiceHealthResponse, StreamServiceHealthResponseSchema } from "@drover/proto/drover/environment";
import { ask, type AskDeps } from "../watch/node-request.ts";
import { absenceOf, byNode } from "./service-replica.ts";

/**
 * Probes replicas once, each on its node; in the order in which nodes answer. Those that nobody could probe are
 * unhealthy, with the reason.
 */
export async function* probeOnce(
  deps: AskDeps,
  rows: readonly ServiceReplicaRow[],
  signal: AbortSignal,
): AsyncGenerator<StreamServiceHealthResponse> {
  for (const row of rows) {
    if (row.replica_id === null || row.holder_id === null)
      yield health(row, false, `There is no container: ${absenceOf(row)}.`);
  }
  const nodes = [...byNode(rows)];
  const questions = nodes.map(([holderId, replicas]) => ({
    holderId,
    kind: "probe" as const,
    spec: { replicaIds: replicas.map(({ replica_id }) => replica_id), intervalSeconds: 0 },
  }));
  for await (const answer of ask(deps, questions, { signal })) {
    const replicas = nodes[answer.question]?.[1] ?? [];
    if ("fault" in answer) for (const row of replicas) yield health(row, false, answer.fault.message);
    else if ("probes" in answer.body) yield* judged(replicas, answer.body);
  }
}

function* judged(
  replicas: readonly ServiceReplicaRow[],
  { probes }: Extract<NodeReply, { probes: unknown }>,
): Generator<StreamServiceHealthResponse> {
  for (const { replicaId, isHealthy, message, details } of probes) {
    const row = replicas.find(({ replica_id }) => replica_id === replicaId);
    if (row !== undefined) yield health(row, isHealthy, message, details);
  }
}

function health(
  { service, number, node }: ServiceReplicaRow,
  healthy: boolean,
  message: string,
  details: Record<string, string> = {},
): StreamServiceHealthResponse {
  return create(StreamServiceHealthResponseSchema, {
    service,
    replica: number,
    healthy,
    message,
    at: timestampNow(),
    details: { ...(node !== null && { node }), ...details },
  });
}
