import { setTimeout as pause } from "node:timers/promises";
import type { Contestant, Job } from "../contestant.ts";
import { nowMs } from "../measure.ts";
import { connectPg, loadPeer, peerVersion } from "../peer.ts";

/** As much of DBOS as the benchmark uses. */
interface Dbos {
  DBOS: {
    setConfig(options: object): void;
    launch(): Promise<void>;
    shutdown(options?: object): Promise<void>;
    registerQueue(name: string, options: object): Promise<unknown>;
    registerWorkflow<Input, Output>(
      body: (input: Input) => Promise<Output>,
      options: { name: string },
    ): (input: Input) => Promise<Output>;
    runStep<Output>(body: () => Promise<Output>, options: { name: string }): Promise<Output>;
    startWorkflow<Input, Output>(
      workflow: (input: Input) => Promise<Output>,
      options: object,
    ): (input: Input) => Promise<{ getResult(): Promise<Output> }>;
  };
  DBOSClient: { create(options: object): Promise<DbosClient> };
}

interface DbosClient {
  enqueue(options: object, input: unknown): Promise<unknown>;
  enqueueInTransaction(client: unknown, options: object, input: unknown): Promise<unknown>;
  destroy(): Promise<void>;
}

const applicationVersion = "bench";
const to = (workflowName: string) => ({ queueName: "bench", workflowName, appVersion: applicationVersion });

/** DBOS: workflows as functions, their steps called in the worker's process and recorded in Postgres. */
export const dbos: Contestant = {
  version: () => peerVersion("@dbos-inc/dbos-sdk"),
  settings: "queue with worker concurrency 100, polling every 10 ms, pools of 16 (producer) and 10 (worker)",
  open: "select count(*) as open from dbos.workflow_status where status in ('ENQUEUED', 'PENDING', 'DELAYED')",
  async prepare(url) {
    const { DBOS, ...config } = await load(url);
    DBOS.setConfig({ ...config, executorID: "prepare" });
    await DBOS.launch();
    await DBOS.registerQueue("bench", { workerConcurrency: 100, minPollingIntervalMs: 10 });
    await DBOS.shutdown({ deregister: true });
  },
  async produce(url) {
    const { DBOSClient, logger } = await load(url);
    const options = { systemDatabaseUrl: url, systemDatabasePoolSize: 16, applicationName: "bench", logger };
    const client = await DBOSClient.create(options);
    const pg = await connectPg(url);
    const enqueueAll = async (workflow: string, inputs: unknown[]) => {
      await pg.query("begin");
      for (const input of inputs) await client.enqueueInTransaction(pg, to(workflow), input);
      await pg.query("commit");
    };
    return {
      submit: (job) => client.enqueue(to("job"), job),
      submitAll: (jobs) => enqueueAll("job", jobs),
      runs: {
        startChains: (runs, steps) =>
          enqueueAll(
            "chain",
            Array.from({ length: runs }, () => ({ steps, stepMs: 0 })),
          ),
        startSpacedChain: (steps, stepMs) => client.enqueue(to("chain"), { steps, stepMs }),
        startFanout: (items) => client.enqueue(to("fanout"), { items }),
      },
      async stop() {
        await client.destroy();
        await pg.end();
      },
    };
  },
  async work(url, _profile, onJob) {
    const { DBOS, ...config } = await load(url);
    DBOS.setConfig({ ...config, executorID: `worker-${process.pid}`, runMigrations: false });
    registerWorkflows(DBOS, onJob);
    return { start: () => DBOS.launch(), stop: () => DBOS.shutdown() };
  },
};

function registerWorkflows(DBOS: Dbos["DBOS"], onJob: (job: Job) => void): void {
  const step = async () => onJob({ index: 0, sentAt: 0 });
  DBOS.registerWorkflow(async (job: Job) => onJob(job), { name: "job" });
  DBOS.registerWorkflow(
    async ({ steps, stepMs }: { steps: number; stepMs: number }) => {
      let endedAt = 0;
      const spaced = async () => {
        onJob({ index: 0, sentAt: endedAt });
        await pause(stepMs);
        endedAt = nowMs();
      };
      for (let number = 0; number < steps; number++) {
        await DBOS.runStep(stepMs === 0 ? step : spaced, { name: "step" });
      }
    },
    { name: "chain" },
  );
  const child = DBOS.registerWorkflow(
    async (item: number) => {
      await step();
      return item;
    },
    { name: "child" },
  );
  DBOS.registerWorkflow(
    async ({ items }: { items: number }) => {
      const handles: { getResult(): Promise<number> }[] = [];
      for (let item = 0; item < items; item++)
        handles.push(await DBOS.startWorkflow(child, { queueName: "bench" })(item));
      for (const handle of handles) await handle.getResult();
    },
    { name: "fanout" },
  );
}

async function load(url: string) {
  const { DBOS, DBOSClient } = await loadPeer<Dbos>("@dbos-inc/dbos-sdk");
  const logger = {
    info: () => {},
    debug: () => {},
    warn: () => {},
    error: (...what: unknown[]) => console.error("dbos:", ...what),
  };
  return {
    DBOS,
    DBOSClient,
    name: "bench",
    systemDatabaseUrl: url,
    systemDatabasePoolSize: 10,
    applicationVersion,
    logger,
  };
}
