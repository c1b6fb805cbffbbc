import { openDatabase } from "../../../db/client.ts";
import { createWakeups } from "../../../db/listen.ts";
import { migrate } from "../../../db/migrate.ts";
import { createDirectory } from "../../../db/query/directory.ts";
import { createWaker } from "../../../db/wake.ts";
import { createLog } from "../../../packages/daemon/src/log.ts";
import { createDirectSource } from "../../../packages/worker/src/direct.ts";
import { createSubmitter } from "../../../packages/worker/src/submit.ts";
import { createWorker } from "../../../packages/worker/src/worker.ts";
import type { Contestant, Job } from "../contestant.ts";
import { createHandlers, createRunStarter, taskTypes } from "./drover-run.ts";

/** Drover by its SDK, straight to Postgres. */
export const drover: Contestant = {
  version: () => "this tree",
  settings: "SDK straight to Postgres; worker: concurrency 100, prefetch 2000",
  open: `select (select count(*) from drover.task_ready) + (select count(*) from drover.task_lease)
    + (select count(*) from drover.task_waiting) + (select count(*) from drover.run_open) as open`,
  async prepare(url) {
    await migrate({ url });
  },
  async produce(url) {
    const db = openDatabase({ url, maxConnections: 4 });
    const waker = createWaker({ db });
    const submitter = createSubmitter({ db, waker });
    const toTask = (payload: Job) => ({ type: "noop", payload: { ...payload } });
    return {
      submit: (job) => submitter.submit(toTask(job)),
      submitAll: (jobs) => submitter.submitAll(jobs.map(toTask)),
      runs: createRunStarter({ db, directory: createDirectory({ db }), waker }),
      stop: () => db.close(),
    };
  },
  async work(url, _profile, onJob) {
    const db = openDatabase({ url, maxConnections: 3 });
    const wakeups = createWakeups({ url });
    await wakeups.start();
    const worker = createWorker({
      source: createDirectSource({ db, wakeups, name: `bench-${process.pid}`, types: taskTypes }),
      handlers: createHandlers(onJob),
      concurrency: 100,
      prefetch: 2000,
      log: createLog({ app: "bench", level: "warn" }),
    });
    return {
      start: () => worker.start(),
      async stop() {
        await worker.stop();
        await wakeups.stop();
        await db.close();
      },
    };
  },
};
