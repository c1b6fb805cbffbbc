import type { Contestant, Job } from "../contestant.ts";
import { loadPeer, peerVersion } from "../peer.ts";

/** As much of pg-boss as the benchmark uses. */
interface Boss {
  on(event: "error" | "warning", listener: (what: unknown) => void): void;
  start(): Promise<unknown>;
  createQueue(name: string, options: object): Promise<unknown>;
  send(queue: string, data: Job): Promise<unknown>;
  insert(queue: string, jobs: { data: Job }[]): Promise<unknown>;
  work(queue: string, options: object, handler: (jobs: { data: Job }[]) => Promise<void>): Promise<unknown>;
  stop(options: object): Promise<void>;
}

/** pg-boss: it notifies for latency, and polls elsewhere, where notifying costs it more than half of its rate. */
export const pgBoss: Contestant = {
  version: () => peerVersion("pg-boss"),
  settings: "batches of 2000, two workers, polling every 0.5 s in bursts; latency: with notify",
  open: "select count(*) as open from pgboss.job where name = 'noop' and state < 'completed'",
  async prepare(url, profile) {
    const boss = await open({ connectionString: url, max: 2, supervise: false, schedule: false });
    await boss.createQueue("noop", { notify: profile === "latency" });
    await boss.stop({ graceful: false, close: true });
  },
  async produce(url) {
    const boss = await open({ connectionString: url, max: 16, supervise: false, schedule: false, migrate: false });
    return {
      submit: (job) => boss.send("noop", job),
      submitAll: (jobs) =>
        boss.insert(
          "noop",
          jobs.map((data) => ({ data })),
        ),
      stop: () => boss.stop({ graceful: false, close: true }),
    };
  },
  async work(url, profile, onJob) {
    const boss = await open({
      connectionString: url,
      max: 10,
      schedule: false,
      useListenNotify: profile === "latency",
    });
    const options = { batchSize: 2000, localConcurrency: 2, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
    return {
      async start() {
        await boss.work("noop", options, async (jobs) => {
          for (const job of jobs) onJob(job.data);
        });
      },
      stop: () => boss.stop({ graceful: true, timeout: 5000, close: true }),
    };
  },
};

async function open(options: object): Promise<Boss> {
  const { PgBoss } = await loadPeer<{ PgBoss: new (options: object) => Boss }>("pg-boss");
  const boss = new PgBoss(options);
  boss.on("error", (error) => console.error("pg-boss:", error));
  boss.on("warning", () => {});
  await boss.start();
  return boss;
}
