import type { Executor } from "@drover/db/client";
import { createLog } from "@drover/daemon/log";
import { createMetrics } from "@drover/daemon/metric";
import { appendLog } from "@drover/db/node/settle";
import { createDirectory } from "@drover/db/query/directory";
import { submit } from "@drover/db/query/submit";
import { DroverError } from "@drover/domain/error";
import type { Execution } from "@drover/domain/execution";
import { type Agent, type AgentOptions, createAgent } from "./agent.ts";
import type { TaskExecutor } from "./executor/executor.ts";
import { createProcessExecutor } from "./executor/process.ts";
import { metrics as declarations } from "./metric.ts";
import { createNodeSource, type NodeSource } from "./source.ts";

export interface TestAgentOptions {
  db: Executor;
  name: string;
  taskBase: string;
  slots?: Record<string, number>;
  gpus?: AgentOptions["gpus"];
  executors?: TaskExecutor[];
  /** Told when the database does not take its login. */
  onRefused?: (error: unknown) => void;
}

export interface TestAgent {
  agent: Agent;
  source: NodeSource;
  /** Cuts it off from the database, or joins it again. */
  setCut(isCut: boolean): void;
  /** How many of its reports were refused as stale. */
  stale(): Promise<number>;
  stop(): Promise<void>;
}

/** An agent that runs processes, whose way to the database a test can cut. */
export function createTestAgent({
  db,
  name,
  taskBase,
  slots = { cpu_short: 2 },
  gpus,
  executors = [createProcessExecutor({ enabled: true, holder: name, taskBase, stopGraceSeconds: 1 })],
  onRefused,
}: TestAgentOptions): TestAgent {
  const log = createLog({ app: "test", level: "silent" });
  let isCut = false;
  const way: Executor = {
    run: (statement) =>
      isCut ? Promise.reject(new DroverError("unavailable", "The way to the database is cut.")) : db.run(statement),
  };
  const metrics = createMetrics({ declarations, hasProcessMetrics: false });
  const source = createNodeSource({
    db: way,
    name,
    version: "test",
    facts: () => ({ executors: executors.map((one) => one.name), slots, facts: {} }),
    onHeld: (held) => agent.takeUp(held),
    ...(onRefused && { onRefused }),
  });
  const agent: Agent = createAgent({
    source,
    executors,
    slots: () => slots,
    ...(gpus && { gpus }),
    shipLogs: { append: (claim, chunk, lines) => appendLog(way, source, claim, chunk, lines), flushMs: 20 },
    graceSeconds: 1,
    metrics,
    onSuperseded: () => {},
    log,
  });
  return {
    agent,
    source,
    setCut: (next) => void (isCut = next),
    stale: async () => (await metrics.series())["drover_agent_stale_reports_total"] ?? 0,
    stop: () => agent.stop("drain", AbortSignal.timeout(500)),
  };
}

/** Submits a task for processes; those that have to be placed wait in the queue of such. */
export async function submitProcess(db: Executor, execution: Execution, taskType: "" | "placed" = ""): Promise<string> {
  const queueId = await createDirectory({ db }).queueId({
    namespaceId: 1,
    className: "cpu_short",
    executor: "process",
    taskType,
  });
  const task = { queueId, payload: "{}", execution: JSON.stringify(execution), timeoutSeconds: 120 };
  const [key = ""] = await submit(db, { namespaceId: 1, actor: "test" }, [task]);
  return key;
}
