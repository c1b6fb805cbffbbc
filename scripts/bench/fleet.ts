import { createNodeSource } from "../../apps/agent/src/source.ts";
import type { Executor } from "../../db/client.ts";
import { createWorkLoop, type WorkLoop } from "../../packages/worker/src/loop.ts";
import { createLog } from "../../packages/daemon/src/log.ts";

/** Many agents in one process: the loop and the protocol of the real one, and executors that are never asked. */
export interface SimulatedFleet {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when every agent has had an answer since the last start. */
  allSynced(limitMs: number): Promise<void>;
  readonly syncs: number;
  /** Calls that failed, whatever came of them later. */
  readonly errors: number;
}

export interface SimulatedFleetOptions {
  db: Executor;
  agents: number;
}

const log = createLog({ app: "fleet", level: "silent" });
const facts = {
  hostname: "simulated",
  arch: "x64",
  kernel: "Linux",
  cpu_cores: "32",
  memory_bytes: "137438953472",
  gpu_count: "8",
};

/** Agents that are not started yet. */
export function createSimulatedFleet({ db, agents }: SimulatedFleetOptions): SimulatedFleet {
  const tally = { syncs: 0, errors: 0 };
  let waiting = new Set<string>();
  let told = () => {};
  let loops: WorkLoop[] = [];
  const counted: Executor = {
    async run(statement) {
      try {
        return await db.run(statement);
      } catch (error) {
        tally.errors += 1;
        throw error;
      }
    },
  };

  function createAgent(name: string): WorkLoop {
    const source = createNodeSource({
      db: counted,
      name,
      version: "simulated",
      facts: () => ({ executors: ["docker"], slots: { cpu_short: 4, gpu: 8 }, facts }),
      onHeld: () => {},
    });
    return createWorkLoop({
      source: {
        register: source.register,
        complete: source.complete,
        fail: source.fail,
        held: source.held,
        leave: source.leave,
        subscribe: source.subscribe,
        async poll(free) {
          const answer = await source.poll(free);
          tally.syncs += 1;
          waiting.delete(name);
          if (waiting.size === 0) told();
          return answer;
        },
      },
      free: () => ({ cpu_short: 4, gpu: 8 }),
      start: () => {},
      cancel: () => {},
      holds: () => false,
      loseAll: () => {},
      graceMs: 12_000,
      log,
    });
  }

  return {
    async start() {
      const names = Array.from({ length: agents }, (_, n) => `simulated-${n}`);
      waiting = new Set(names);
      loops = names.map(createAgent);
      await Promise.all(loops.map((loop) => loop.start()));
    },
    async stop() {
      await Promise.all(loops.splice(0).map((loop) => loop.stop()));
    },
    allSynced: (limitMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${waiting.size} of ${agents} agents had no answer.`)),
          limitMs,
        );
        told = () => {
          clearTimeout(timer);
          resolve();
        };
        if (waiting.size === 0) told();
      }),
    get syncs() {
      return tally.syncs;
    },
    get errors() {
      return tally.errors;
    },
  };
}
