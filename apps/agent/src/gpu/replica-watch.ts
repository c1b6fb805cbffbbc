import type { Log } from "@drover/daemon/log";
import type { Engine } from "../docker/engine.ts";
import { label } from "../docker/label.ts";
import { isOwn, type Owner } from "../docker/owner.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import { readGpuLabel } from "./device-request.ts";
import type { GpuHold, GpuWatch } from "./watch.ts";

export interface ReplicaWatchOptions {
  engine: Pick<Engine, "list" | "runInside" | "remove">;
  owner: Owner;
  watch: Pick<GpuWatch, "hold" | "probe">;
  log: Log;
}

/**
 * Brings the containers of replicas under the watch, and asks all who hold GPUs whether they still reach them. One that
 * lost the way to its GPU is removed: its replica is wanted, and made anew. Where the GPU itself is lost the container
 * stays until its replica is moved.
 */
export function createReplicaWatch({ engine, owner, watch, log }: ReplicaWatchOptions): () => Promise<void> {
  const holds = new Map<string, GpuHold>();
  return async () => {
    const answer = await engine.list([`${label.holder}=${owner.holder}`, replicaLabels.replica, label.gpus]);
    if (answer.ok) {
      const own = answer.value.filter(({ State, Labels }) => State === "running" && isOwn(owner, Labels));
      const running = new Map(own.map((one) => [one.Id, one]));
      for (const [id, hold] of holds) {
        if (running.has(id)) continue;
        hold.release();
        holds.delete(id);
      }
      for (const [id, { Names: [name = id] = [], Labels: labels }] of running) {
        if (!holds.has(id)) holds.set(id, watch.hold(holderOf(id, name.replace(/^\//, ""), readGpuLabel(labels))));
      }
    }
    await watch.probe();
  };

  function holderOf(id: string, name: string, gpus: string[]): Parameters<GpuWatch["hold"]>[0] {
    return {
      gpus,
      name,
      async ask(command) {
        const said = await engine.runInside(id, command);
        return said.ok ? said.value : undefined;
      },
      onLost({ action }) {
        if (action === "cordon") return;
        void engine.remove(id).then((removed) => {
          if (!removed.ok) log.warn({ container: name, fault: removed.message }, "could not be removed");
        });
      },
    };
  }
}
