import type { WantedReplica } from "@drover/db/node/replica";
import type { FoundContainer } from "@drover/domain/environment/replica-memory";
import { isOwn, type Owner, ownerLabels } from "../docker/owner.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import type { Inspection, ServiceEngine } from "../docker/service-engine.ts";
import { readGpuLabel } from "../gpu/device-request.ts";
import { mapBounded } from "../request/map-bounded.ts";
import { findDrift } from "./drift.ts";

/** A replica's container with everything that the engine tells of it. */
export interface Observed extends FoundContainer {
  inspection: Inspection | undefined;
  labels: Record<string, string>;
}

export interface ObserverOptions {
  engine: ServiceEngine;
  owner: Owner;
}

export interface Observer {
  /**
   * All containers of this node's replicas; undefined: the engine gave no list, and nothing is known. Those that are
   * neither touched nor of another state than before are taken as they were, unless everything is to be looked at.
   */
  observe(options: {
    wanted: ReadonlyMap<string, WantedReplica>;
    touched: ReadonlySet<string>;
    isFull: boolean;
  }): Promise<Observed[] | undefined>;
}

const atOnce = 8;

/** Looks at the engine for containers of replicas. */
export function createObserver({ engine, owner }: ObserverOptions): Observer {
  let known = new Map<string, { state: string; inspection: Inspection }>();
  return {
    async observe({ wanted, touched, isFull }) {
      const answer = await engine.list([`${ownerLabels.holder}=${owner.holder}`, replicaLabels.replica]);
      if (!answer.ok) return undefined;
      const next = new Map<string, { state: string; inspection: Inspection }>();
      const own = answer.value.filter(({ Labels: labels }) => isOwn(owner, labels));
      const observed = await mapBounded(own, atOnce, async ({ Id: id, State: state, Labels: labels }) => {
        // While one is started the engine says nothing else of it, and the others would wait.
        if (state === "created")
          return [{ ...labelled(id, labels), state: "new" as const, inspection: undefined, drift: [] }];
        const before = known.get(id);
        const isFresh = isFull || touched.has(id) || before?.state !== state;
        const looked = isFresh || !before ? await engine.inspect(id) : { ok: true as const, value: before.inspection };
        if (!looked.ok && looked.fault === "missing") return [];
        if (looked.ok) next.set(id, { state, inspection: looked.value });
        return [read(id, labels, looked.ok && state !== "removing" ? looked.value : undefined, wanted)];
      });
      known = next;
      return observed.flat();
    },
  };
}

function read(
  id: string,
  labels: Record<string, string>,
  inspection: Inspection | undefined,
  wanted: ReadonlyMap<string, WantedReplica>,
): Observed {
  const base = { ...labelled(id, labels), inspection };
  const state = inspection === undefined ? "unknown" : stateOf(inspection.State);
  if (inspection === undefined || state === "unknown") return { ...base, state: "unknown", drift: [] };
  const { StartedAt: startedAt, ExitCode: exitCode, OOMKilled: isOutOfMemory } = inspection.State;
  const replica = wanted.get(base.replicaId);
  // One that was never started may still have networks to join.
  const isWhole = state === "running" || state === "stopped";
  const drift = isWhole && replica?.specHash === base.specHash ? findDrift(replica, inspection) : [];
  return { ...base, state, startedAt, exitCode, isOutOfMemory, drift };
}

/** What the labels say, which the agent wrote when it made the container. */
function labelled(id: string, labels: Record<string, string>) {
  const replicaId = labels[replicaLabels.replica] ?? "";
  const specHash = labels[replicaLabels.specHash] ?? "";
  const round = Number(labels[replicaLabels.round] ?? 0);
  return { id, replicaId, specHash, round, gpus: readGpuLabel(labels), labels };
}

function stateOf({ Status, Running, Restarting, Pid, StartedAt }: Inspection["State"]): FoundContainer["state"] {
  if (Status === "dead") return "dead";
  // Seen after restarts of engines: "running" without any process. It may be either.
  if (Running) return Pid === 0 ? "unknown" : "running";
  if (Restarting || Status === "removing") return "unknown";
  // The engine writes the year 1 for "never".
  return new Date(StartedAt).getTime() > 0 ? "stopped" : "new";
}
