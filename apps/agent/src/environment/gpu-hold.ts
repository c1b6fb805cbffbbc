import type { ServiceEngine } from "../docker/service-engine.ts";
import type { GpuHold, GpuWatch } from "../gpu/watch.ts";

/** A replica that was given GPUs, and the container in which it uses them, if there is one. */
export interface GpuUser {
  replicaId: string;
  name: string;
  gpus: readonly string[];
  containerId?: string;
}

export interface GpuHolds {
  /** Those who use GPUs now; what is not among them lets go of its own. */
  keep(users: readonly GpuUser[]): void;
  /** What a probe or the engine said about a replica: it may be a sign of a lost GPU. */
  hear(replicaId: string, text: string): void;
  /** Why a container has to be made anew: its GPU is well, and it lost its way to it. */
  faultOf(containerId: string): string | undefined;
}

const askTimeoutMs = 10_000;

/**
 * Tells the watch over GPUs which of them replicas use. A lost GPU is cordoned by the watch, and the control plane moves
 * the replica; a container that only lost its way to a GPU is made anew here.
 */
export function createGpuHolds({
  watch,
  engine,
  onFault,
}: {
  watch: Pick<GpuWatch, "hold">;
  engine: Pick<ServiceEngine, "run">;
  onFault: () => void;
}): GpuHolds {
  const holds = new Map<string, { key: string; hold: GpuHold }>();
  const faults = new Map<string, string>();
  const keyOf = ({ gpus, containerId = "" }: GpuUser) => `${containerId} ${gpus.join()}`;

  function begin(user: GpuUser): GpuHold {
    const { containerId, gpus, name } = user;
    return watch.hold({
      gpus,
      name,
      ...(containerId !== undefined && {
        async ask(command) {
          const answer = await engine.run(containerId, command, askTimeoutMs);
          return answer.ok ? answer.value : undefined;
        },
      }),
      onLost({ action, evidence }) {
        if (action !== "recreate" || containerId === undefined) return;
        faults.set(containerId, `it lost its way to its GPU: ${evidence}`);
        onFault();
      },
    });
  }

  return {
    keep(users) {
      const kept = new Map(users.map((user) => [user.replicaId, user]));
      const containers = new Set(users.map(({ containerId }) => containerId));
      for (const id of faults.keys()) if (!containers.has(id)) faults.delete(id);
      for (const [id, { key, hold }] of holds) {
        const user = kept.get(id);
        if (user !== undefined && keyOf(user) === key) continue;
        hold.release();
        holds.delete(id);
      }
      for (const user of users) {
        if (user.gpus.length === 0 || holds.has(user.replicaId)) continue;
        holds.set(user.replicaId, { key: keyOf(user), hold: begin(user) });
      }
    },
    hear: (replicaId, text) => holds.get(replicaId)?.hold.hear(`${text}\n`),
    faultOf: (containerId) => faults.get(containerId),
  };
}
