import type { Contestant, Job, Profile } from "../contestant.ts";
import { loadPeer, peerVersion } from "../peer.ts";

/** As much of graphile-worker as the benchmark uses. */
interface GraphileWorker {
  Logger: new (factory: () => (level: string, message: string) => void) => unknown;
  runMigrations(options: object): Promise<void>;
  makeWorkerUtils(options: object): Promise<{
    addJob(identifier: string, payload: Job): Promise<unknown>;
    addJobs(jobs: { identifier: string; payload: Job }[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: object): Promise<{ stop(): Promise<void> }>;
}

/** graphile-worker: a large local queue for drains, its documented defaults with batching elsewhere. */
export const graphileWorker: Contestant = {
  version: () => peerVersion("graphile-worker"),
  settings: "drain: local queue 2000, concurrency 100; else local queue 500, concurrency 24; batched completion",
  open: "select count(*) as open from graphile_worker._private_jobs",
  async prepare(url) {
    const { runMigrations, logger } = await load();
    await runMigrations({ connectionString: url, logger });
  },
  async produce(url) {
    const { makeWorkerUtils, logger } = await load();
    const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 4, logger });
    return {
      submit: (job) => utils.addJob("noop", job),
      submitAll: (jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: "noop", payload }))),
      stop: () => utils.release(),
    };
  },
  async work(url, profile, onJob) {
    const { run, logger } = await load();
    let runner: { stop(): Promise<void> } | undefined;
    return {
      async start() {
        runner = await run({
          preset: { worker: { connectionString: url, logger, maxPoolSize: 25, ...queue(profile) } },
          taskList: { noop: async (payload: Job) => onJob(payload) },
          crontab: "",
          noHandleSignals: true,
        });
      },
      async stop() {
        await runner?.stop();
      },
    };
  },
};

function queue(profile: Profile): object {
  const batching = { completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  return profile === "drain"
    ? { concurrentJobs: 100, localQueue: { size: 2000 }, ...batching }
    : { concurrentJobs: 24, localQueue: { size: 500 }, ...batching };
}

async function load() {
  process.env["NO_LOG_SUCCESS"] = "1"; // as in its own performance test
  const graphile = await loadPeer<GraphileWorker>("graphile-worker");
  const logger = new graphile.Logger(() => (level, message) => {
    if (level === "error") console.error("graphile-worker:", message);
  });
  return { ...graphile, logger };
}
