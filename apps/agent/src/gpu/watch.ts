import type { Log } from "@drover/daemon/log";
import { findGpuFault, type GpuFault } from "./container-fault.ts";
import { gpuProbeCommand, readGpuProbe } from "./container-probe.ts";
import { createLineReader } from "./line-reader.ts";

/** A GPU that is lost for sure, as the drivers of the host say. */
export interface LostGpu {
  uuid: string;
  evidence: string;
}

/** What became of a GPU. cordon: it is lost. recreate: it is well, and a container lost its way to it. */
export interface GpuLoss extends LostGpu {
  action: "cordon" | "recreate";
}

export interface GpuHolder {
  /** UUIDs, one for each place. */
  gpus: readonly string[];
  /** For the log. */
  name: string;
  /** Runs a command inside the container; undefined: no answer could be had. */
  ask?: (command: readonly string[]) => Promise<{ exitCode: number; output: string } | undefined>;
  /** Told once: the container or process has to end. */
  onLost: (loss: GpuLoss) => void;
}

export interface GpuHold {
  /** What the holder wrote, or what the engine answered to its start. */
  hear(text: string): void;
  /** Resolves when every suspicion so far is settled, with the loss if there was one. */
  settle(): Promise<GpuLoss | undefined>;
  release(): void;
}

export interface GpuWatch {
  hold(holder: GpuHolder): GpuHold;
  /** What a look at the host found lost; those who hold it are told after it is cordoned. */
  tell(lost: readonly LostGpu[]): Promise<void>;
  /** Asks each container that holds GPUs whether it still reaches them: its program may not have noticed yet. */
  probe(): Promise<void>;
  /** Every loss, whoever holds the GPU: those of the host once until it has recovered. */
  subscribe(listener: (loss: GpuLoss) => void): () => void;
}

export interface GpuWatchOptions {
  /** Looks at the host anew; what is lost comes back through tell() before it resolves. */
  look: () => Promise<void>;
  cordon: (gpu: LostGpu) => Promise<unknown>;
  /** A sign that turned out to mean nothing is not followed up again so soon. */
  quietMs?: number;
  log: Log;
}

/**
 * Watches over those who hold GPUs. What they write is only a reason to look:
 *   sign --> look at the host --lost--> cordon, end all who hold it
 *                             --well--> ask the container's own nvidia-smi (signs of `recreate`) --lost its way--> end it
 *                                                                                              --well--> nothing
 */
export function createGpuWatch({ look, cordon, quietMs = 60_000, log }: GpuWatchOptions): GpuWatch {
  const holds = new Set<Hold>();
  const listeners = new Set<(loss: GpuLoss) => void>();
  const uncordoned = new Map<string, LostGpu>();
  let told = new Set<string>();

  const publish = (loss: GpuLoss) => {
    for (const listener of listeners) listener(loss);
  };
  const end = (hold: Hold, loss: GpuLoss) => {
    if (hold.loss || !holds.has(hold)) return;
    hold.loss = loss;
    log.warn({ holder: hold.name, gpu: loss.uuid, action: loss.action, evidence: loss.evidence }, "its GPU is lost");
    hold.onLost(loss);
  };

  async function investigate(hold: Hold, fault: GpuFault): Promise<void> {
    log.info({ holder: hold.name, gpus: hold.gpus, sign: fault.evidence }, "a sign of a lost GPU; looking at the host");
    await look();
    if (hold.loss || fault.action !== "recreate" || hold.ask === undefined) return;
    const answer = await hold.ask(gpuProbeCommand);
    const said = answer && readGpuProbe(answer, hold.gpus);
    if (answer?.exitCode === 0 && said === undefined) return;
    const [uuid = ""] = hold.gpus;
    const loss: GpuLoss = { uuid, evidence: said?.evidence ?? fault.evidence, action: "recreate" };
    publish(loss);
    end(hold, loss);
  }

  function suspect(hold: Hold, fault: GpuFault): void {
    const last = hold.heardAt.get(fault.action);
    if (hold.loss || (last !== undefined && performance.now() - last < quietMs)) return;
    hold.heardAt.set(fault.action, performance.now());
    hold.inquiry = hold.inquiry
      .then(() => investigate(hold, fault))
      .catch((error: unknown) => log.warn({ error, holder: hold.name }, "a sign of a lost GPU could not be followed"));
  }

  async function flushCordons(): Promise<void> {
    for (const [uuid, gpu] of uncordoned) {
      try {
        await cordon(gpu);
        uncordoned.delete(uuid);
      } catch (error) {
        log.warn({ error, gpu: uuid }, "the control plane was not told of a lost GPU; trying again with the next look");
      }
    }
  }

  return {
    hold(holder) {
      const hold: Hold = { ...holder, heardAt: new Map(), inquiry: Promise.resolve(), loss: undefined };
      const read = createLineReader((lines) => {
        const fault = findGpuFault(lines, hold.gpus);
        if (fault) suspect(hold, fault);
      });
      if (hold.gpus.length > 0) holds.add(hold);
      return {
        hear: (text) => (hold.gpus.length > 0 ? read.push(text) : undefined),
        async settle() {
          read.flush();
          await hold.inquiry;
          return hold.loss;
        },
        release: () => void holds.delete(hold),
      };
    },
    async tell(lost) {
      const held = lost.filter(({ uuid }) => holds.values().some((hold) => hold.gpus.includes(uuid)));
      for (const gpu of held) if (!told.has(gpu.uuid)) uncordoned.set(gpu.uuid, gpu);
      // Before the work is handed back, so that it does not come here again.
      await flushCordons();
      const fresh = lost.filter(({ uuid }) => !told.has(uuid));
      told = new Set(lost.map(({ uuid }) => uuid));
      for (const gpu of fresh) publish({ ...gpu, action: "cordon" });
      for (const hold of holds) {
        const own = lost.find(({ uuid }) => hold.gpus.includes(uuid));
        if (own) end(hold, { ...own, action: "cordon" });
      }
    },
    async probe() {
      for (const hold of holds) {
        const answer = hold.loss ? undefined : await hold.ask?.(gpuProbeCommand);
        const fault = answer && readGpuProbe(answer, hold.gpus);
        if (fault) suspect(hold, fault);
        await hold.inquiry;
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

interface Hold extends GpuHolder {
  heardAt: Map<GpuFault["action"], number>;
  inquiry: Promise<void>;
  loss: GpuLoss | undefined;
}
