import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type HealthUpdate, HealthUpdateSchema } from "@drover/proto/env_manager/env_manager";
import type { Caller, Deps } from "../../operation/context.ts";
import { probeOnce } from "../../rpc/service-health.ts";
import { findReplicas } from "../../rpc/service-replica.ts";
import { createBell } from "../../watch/bell.ts";
import type { AskDeps } from "../../watch/node-request.ts";
import { patiently } from "../orchestrator/patiently.ts";
import { type KnownEnvironment, requireService } from "./environment.ts";

export interface HealthStreamOptions {
  deps: Deps;
  wakeups: AskDeps["wakeups"];
  environment: KnownEnvironment;
  caller: Caller;
  /** None: all. */
  names: readonly string[];
  intervalSeconds: number;
  signal: AbortSignal;
}

/** Probes services at once and every so often, until the caller leaves; a message for each of their replicas. */
export async function* streamHealth(options: HealthStreamOptions): AsyncGenerator<HealthUpdate> {
  const { deps, wakeups, environment, caller, signal } = options;
  const declaration = await environment.declaration(caller);
  const asked = options.names.map((name) => requireService(declaration, name).name);
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const rest = createBell({ wakeups, hints: [], signal });
  try {
    while (!signal.aborted) {
      const startedAt = performance.now();
      const row = await patiently(signal, () => environment.find(caller));
      if (row === undefined) {
        const names = asked.length > 0 ? asked : declaration.services.map(({ name }) => name);
        for (const serviceName of names) yield update(serviceName, false, "It was never started.");
      } else {
        const names = row.declaration.services.map(({ name }) => name);
        const wanted = asked.length === 0 ? names : asked.filter((name) => names.includes(name));
        // Anew each time: replicas come, go and move.
        const rows = await patiently(signal, () => findReplicas(deps, namespaceId, environment.name, wanted));
        for (const { service, wanted: is } of rows)
          if (is === "stopped") yield update(service, false, "It is stopped.");
        const kept = rows.filter(({ wanted: is }) => is !== "stopped");
        for await (const one of probeOnce({ db: deps.db, wakeups }, kept, signal)) {
          const atMs = one.at === undefined ? Date.now() : timestampMs(one.at);
          const isSingle = kept.filter(({ service }) => service === one.service).length === 1;
          const details = { ...one.details, ...(!isSingle && { replica: String(one.replica) }) };
          yield update(one.service, one.healthy, one.message, details, atMs);
        }
      }
      const restMs = Math.max(1, options.intervalSeconds) * 1000 - (performance.now() - startedAt);
      await rest.wait(Math.max(100, restMs));
    }
  } finally {
    rest.close();
  }
}

function update(
  serviceName: string,
  healthy: boolean,
  message: string,
  details: Record<string, string> = {},
  atMs = Date.now(),
): HealthUpdate {
  return create(HealthUpdateSchema, {
    serviceName,
    healthy,
    message,
    timestamp: BigInt(Math.floor(atMs / 1000)),
    details,
  });
}
