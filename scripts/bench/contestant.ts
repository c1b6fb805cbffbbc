/** What every job carries; `sentAt` by the machine's monotonic clock. */
export interface Job {
  index: number;
  sentAt: number;
}

/** What a contestant is set up for: each at its best for it. */
export type Profile = "drain" | "latency" | "steady" | "workflow";

export interface Producer {
  /** Resolves when the job is durable. */
  submit(job: Job): Promise<unknown>;
  submitAll(jobs: Job[]): Promise<unknown>;
  /** Of an engine of workflows only. */
  runs?: RunStarter;
  stop(): Promise<void>;
}

/** Starts runs whose steps do nothing. */
export interface RunStarter {
  /** Queues runs of so many steps, one after the other. */
  startChains(runs: number, steps: number): Promise<unknown>;
  /** Starts one run of so many steps, each of which takes so long and is told as a job sent when the former ended. */
  startSpacedChain(steps: number, stepMs: number): Promise<unknown>;
  /** Starts one run that works on so many items at once and joins them. */
  startFanout(items: number): Promise<unknown>;
}

export interface JobWorker {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A task queue or an engine of workflows in Postgres, as the cases see it. */
export interface Contestant {
  version(): string;
  /** How it is set up, for the report. */
  settings: string;
  /** Makes the schema in an empty database. */
  prepare(url: string, profile: Profile): Promise<void>;
  produce(url: string, profile: Profile): Promise<Producer>;
  work(url: string, profile: Profile, onJob: (job: Job) => void): Promise<JobWorker>;
  /** SQL for the number of jobs and runs that are not durably completed. */
  open: string;
}

/** The queues that are compared with each other. */
export const queues = ["drover", "graphile-worker", "pg-boss"] as const;
/** The engines of workflows that are compared with each other. */
export const engines = ["drover", "dbos"] as const;
export type ContestantName = (typeof queues)[number] | (typeof engines)[number] | "floor" | "grpc" | "connect";

/** Loads a contestant; each process loads only the one that it runs. */
export async function loadContestant(name: ContestantName): Promise<Contestant> {
  switch (name) {
    case "drover":
      return (await import("./contestant/drover.ts")).drover;
    case "graphile-worker":
      return (await import("./contestant/graphile-worker.ts")).graphileWorker;
    case "pg-boss":
      return (await import("./contestant/pg-boss.ts")).pgBoss;
    case "dbos":
      return (await import("./contestant/dbos.ts")).dbos;
    case "floor":
      return (await import("./contestant/floor.ts")).floor;
    case "grpc":
    case "connect":
      return (await import("./contestant/rpc.ts")).createRpcContestant(name);
  }
}
