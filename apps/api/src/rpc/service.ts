import type { ServiceImpl } from "@connectrpc/connect";
import type { NodeReply } from "@drover/db/node/replica";
import type { ServiceReplicaRow } from "@drover/db/query/node-request";
import type { DroverError } from "@drover/domain/error";
import type { EnvironmentService } from "@drover/proto/drover/environment";
import type { Deps } from "../operation/context.ts";
import { ask, type AskDeps } from "../watch/node-request.ts";
import { callerOf } from "./caller.ts";
import { probeOnce } from "./service-health.ts";
import { serviceLogs } from "./service-log.ts";
import { byNode, findReplicas } from "./service-replica.ts";

export interface ServiceRpcOptions {
  deps: Deps;
  wakeups: AskDeps["wakeups"];
}

/** The part of drover.v1.EnvironmentService that asks the nodes. */
export function serviceRpc({ deps, wakeups }: ServiceRpcOptions) {
  const asking: AskDeps = { db: deps.db, wakeups };
  return {
    async *streamServiceLogs(request, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      yield* serviceLogs(asking, request, { namespaceId, signal: context.signal });
    },

    async *streamServiceHealth({ environment, services, intervalSeconds }, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const { signal } = context;
      while (!signal.aborted) {
        const startedAt = performance.now();
        // Anew each time: replicas come, go and move.
        const rows = await findReplicas(deps, namespaceId, environment, services);
        yield* probeOnce(asking, rows, signal);
        await pause((intervalSeconds || 10) * 1000 - (performance.now() - startedAt), signal);
      }
    },

    async getServiceUsage({ environment, services }, context) {
      const namespaceId = await deps.directory.namespaceId(callerOf(context).namespace);
      const rows = await findReplicas(deps, namespaceId, environment, services);
      const { usage, faults } = await measureUsage(asking, rows, context.signal);
      // What some nodes said is worth more than that another one is silent.
      if (usage.length === 0 && faults[0] !== undefined) throw faults[0];
      return {
        usage: usage.map(({ service, replica, cpuPercent, ...amounts }) => ({
          service,
          replica,
          cpuPercent,
          memoryBytes: BigInt(amounts.memoryBytes),
          networkRxBytes: BigInt(amounts.networkRxBytes),
          networkTxBytes: BigInt(amounts.networkTxBytes),
        })),
      };
    },
  } satisfies Partial<ServiceImpl<typeof EnvironmentService>>;
}

export type ReplicaUsage = { service: string; replica: number } & Extract<
  NodeReply,
  { usage: unknown }
>["usage"][number];

/** What the containers of replicas use, in the order of the replicas; those that do not run are left out. */
export async function measureUsage(
  deps: AskDeps,
  rows: readonly ServiceReplicaRow[],
  signal: AbortSignal,
): Promise<{ usage: ReplicaUsage[]; faults: DroverError[] }> {
  const questions = [...byNode(rows)].map(([holderId, replicas]) => ({
    holderId,
    kind: "usage" as const,
    spec: { replicaIds: replicas.map(({ replica_id }) => replica_id) },
  }));
  const measured = new Map<string, Extract<NodeReply, { usage: unknown }>["usage"][number]>();
  const faults: DroverError[] = [];
  for await (const answer of ask(deps, questions, { signal })) {
    if ("fault" in answer) faults.push(answer.fault);
    else if ("usage" in answer.body) for (const one of answer.body.usage) measured.set(one.replicaId, one);
  }
  const usage = rows.flatMap(({ service, number, replica_id }) => {
    const found = measured.get(replica_id ?? "");
    return found === undefined ? [] : [{ service, replica: number, ...found }];
  });
  return { usage, faults };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(100, ms));
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
