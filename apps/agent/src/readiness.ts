import type { Metrics } from "@drover/daemon/metric";
import type { TaskExecutor } from "./executor/executor.ts";
import { fingerprint } from "./fingerprint.ts";
import type { AnyResult } from "./in-hand.ts";
import type { NodeInventory } from "./inventory.ts";
import type { metrics as declarations } from "./metric.ts";

/** What this host is, and what can run on it, as last looked at. */
export interface Readiness {
  /** Names of the executors that can run something. */
  readonly executors: string[];
  /** Of the host, and of its executors. */
  readonly facts: Record<string, string>;
  /** Looks at the host anew. */
  describeHost(): Promise<void>;
  /** Asks the executors; true where others can run something than before. */
  probe(): Promise<boolean>;
}

/** Looks at the host and its executors once, and then whenever it is asked to. */
export async function createReadiness({
  executors,
  inventory,
  taskBase,
  metrics: { handles },
}: {
  executors: readonly TaskExecutor<AnyResult>[];
  inventory: Pick<NodeInventory, "last" | "gpus">;
  taskBase: string;
  metrics: Metrics<typeof declarations>;
}): Promise<Readiness> {
  let host: Record<string, string> = {};
  let ready: string[] = [];
  let facts = host;
  const readiness: Readiness = {
    get executors() {
      return ready;
    },
    get facts() {
      return facts;
    },
    async describeHost() {
      host = await fingerprint({ inventory: { ...inventory.last, gpus: inventory.gpus }, taskDir: taskBase });
    },
    async probe() {
      const before = ready.join();
      const answers = await Promise.all(
        executors.map(async (executor) => ({ name: executor.name, answer: await executor.probe() })),
      );
      ready = answers.flatMap(({ name, answer }) => (answer.ready ? [name] : []));
      facts = { ...host };
      for (const { name, answer } of answers) {
        handles.executorReady.set({ executor: name }, answer.ready ? 1 : 0);
        if (answer.ready) for (const [key, value] of Object.entries(answer.facts)) facts[`${name}_${key}`] = value;
        else facts[`${name}_missing`] = answer.reason;
      }
      return ready.join() !== before;
    },
  };
  await readiness.describeHost();
  await readiness.probe();
  return readiness;
}
