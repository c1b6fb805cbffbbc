/** What every job carries; `sentAt` by the machine's monotonic clock. */
export interface Job {
  index: number;
  sentAt: number;
}

/** What a contestant is set up for: each at its best for it. */
export type Profile = "drain" | "latency" | "steady";

export interface Producer {
  /** Resolves when the job is durable. */
  submit(job: Job): Promise<unknown>;
  submitAll(jobs: Job[]): Promise<unknown>;
  stop(): Promise<void>;
}

export interface JobWorker {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A task queue in Postgres, as the cases see it. */
export interface Contestant {
  version(): string;
  /** How it is set up, for the report. */
  settings: string;
  /** Makes the schema in an empty database. */
  prepare(url: string, profile: Profile): Promise<void>;
  produce(url: string, profile: Profile): Promise<Producer>;
  work(url: string, profile: Profile, onJob: (job: Job) => void): Promise<JobWorker>;
  /** SQL for the number of jobs that are not durably completed. */
  open: string;
}

/** The queues that are compared with each other. */
export const queues = ["drover", "graphile-worker", "pg-boss"] as const;
export type ContestantName = (typeof queues)[number] | "floor" | "grpc" | "connect";

/** Loads a contestant; each process loads only the one that it runs. */
export async function loadContestant(name: ContestantName): Promise<Contestant> {
  switch (name) {
    case "drover":
      return (await import("./contestant/drover.ts")).drover;
    case "graphile-worker":
      return (await import("./contestant/graphile-worker.ts")).graphileWorker;
    case "pg-boss":
      return (await import("./contestant/pg-boss.ts")).pgBoss;
    case "floor":
      return (await import("./contestant/floor.ts")).floor;
    case "grpc":
    case "connect":
      return (await import("./contestant/rpc.ts")).createRpcContestant(name);
  }
}
