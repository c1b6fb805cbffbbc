import type { HeldClaim } from "@drover/db/node/register";
import { type FindGpu, placesOf, requestOf } from "./claim.ts";
import { claimKey } from "./executor/executor.ts";
import type { GpuWatch } from "./gpu/watch.ts";
import { type InHand, stopOne } from "./in-hand.ts";
import { createShippedLog, type LogShipperOptions } from "./log-shipper.ts";

export interface HandOptions {
  findGpu: FindGpu;
  /** Absent: this host has no GPUs to watch over. */
  gpuWatch: Pick<GpuWatch, "hold"> | undefined;
  ship: LogShipperOptions;
  /** The number of claims of a class changed. */
  onCount: (className: string, count: number) => void;
}

/** The claims in hand. */
export interface Hand {
  /** Takes one in hand. What it writes goes to its log, and to those who watch over its GPUs. */
  hold(claim: HeldClaim, firstChunk?: number): InHand;
  drop(one: InHand): void;
  get(key: string): InHand | undefined;
  keys(): Set<string>;
  all(): InHand[];
  readonly size: number;
  countOf(className: string): number;
  untilEmpty(): Promise<void>;
}

/** Keeps the claims in hand, by their keys. */
export function createHand({ findGpu, gpuWatch, ship, onCount }: HandOptions): Hand {
  const held = new Map<string, InHand>();
  let emptied: (() => void)[] = [];
  const countOf = (name: string) => held.values().reduce((sum, one) => sum + Number(one.class === name), 0);
  return {
    hold(claim, firstChunk = 0) {
      const request = requestOf(claim, findGpu);
      const shipped = createShippedLog(request, ship, firstChunk);
      const ended = Promise.withResolvers<void>();
      const { class: name, executor } = claim;
      const one: InHand = { request, class: name, executor, shipped, places: placesOf(claim), ended };
      if (request.gpus && gpuWatch) {
        one.gpu = gpuWatch.hold({
          gpus: request.gpus.map(({ uuid }) => uuid),
          name: `task ${request.taskId}`,
          ask: async (command) => one.run?.ask?.(command),
          onLost: () => void stopOne(one, "gpu_lost"),
        });
      }
      held.set(claimKey(request), one);
      onCount(name, countOf(name));
      return one;
    },
    drop(one) {
      held.delete(claimKey(one.request));
      onCount(one.class, countOf(one.class));
      if (held.size > 0) return;
      for (const resolve of emptied) resolve();
      emptied = [];
    },
    get: (key) => held.get(key),
    keys: () => new Set(held.keys()),
    all: () => [...held.values()],
    get size() {
      return held.size;
    },
    countOf,
    untilEmpty: () =>
      held.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => void emptied.push(resolve)),
  };
}
