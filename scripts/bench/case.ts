import { existsSync } from "node:fs";
import { join } from "node:path";
import { whyNoRedis } from "../../apps/agent/src/environment/testing-redis.ts";
import { type Bench, withBench } from "./bench.ts";
import { claimFloor } from "./case/claim-floor.ts";
import { firstJobsRate, park } from "./case/depth.ts";
import { drain } from "./case/drain.ts";
import { enqueue } from "./case/enqueue.ts";
import { environment } from "./case/environment.ts";
import { fleet } from "./case/fleet.ts";
import { idle, memory } from "./case/idle.ts";
import { fanout } from "./case/fanout.ts";
import { latency } from "./case/latency.ts";
import { limit } from "./case/limit.ts";
import { placement } from "./case/placement.ts";
import { rpc } from "./case/rpc.ts";
import { runSize } from "./case/run-size.ts";
import { steady } from "./case/steady.ts";
import { stepLatency } from "./case/step-latency.ts";
import { steps } from "./case/steps.ts";
import { type ContestantName, engines, type Profile, queues } from "./contestant.ts";
import type { Figure } from "./figure.ts";
import type { BenchServer } from "./server.ts";

/** One measurement of one contestant; a round runs each once, in turn. */
export interface Measurement {
  case: string;
  contestant: ContestantName;
  /** Measured once a run, not in every round: a count, not a rate. */
  isSteadfast?: boolean;
  run(server: BenchServer): Promise<Figure[]>;
}

/** Everything that can be measured, in the order of a round. */
export const measurements: Measurement[] = [
  on("enqueue", "floor", "drain", enqueue),
  ...queues.map((queue) => on("enqueue", queue, "drain", enqueue)),
  on("rpc", "drover", "drain", (bench) => rpc(bench, "grpc")),
  on("rpc", "drover", "drain", (bench) => rpc(bench, "connect")),
  on("floor", "floor", "drain", (bench) => claimFloor(bench.url)),
  ...[20_000, 100_000].flatMap((jobs) =>
    [1, 4].flatMap((workers) =>
      queues.map((queue) => on("drain", queue, "drain", (bench) => drain(bench, { workers, jobs }))),
    ),
  ),
  { case: "latency", contestant: "drover", run: (server) => withAll(server, [...queues], latency) },
  ...queues.map((queue) => on("steady", queue, "steady", steady)),
  {
    case: "depth",
    contestant: "drover",
    run: async (server) => {
      const rate = (waiting: number) =>
        withBench({ server, contestant: "drover", profile: "drain" }, (bench) =>
          firstJobsRate(bench, { waiting, first: 20_000 }),
        );
      const shallow = await rate(20_000);
      const deep = await rate(1_000_000);
      return [ratio("first 20,000 of 1,000,000 against of 20,000", deep, shallow)];
    },
  },
  {
    case: "depth",
    contestant: "drover",
    run: async (server) => {
      const rate = (parked: number) =>
        withBench({ server, contestant: "drover", profile: "drain" }, async (bench) => {
          if (parked > 0) await park(bench.url, parked);
          return firstJobsRate(bench, { waiting: 50_000, first: 50_000 });
        });
      const free = await rate(0);
      const obstructed = await rate(100_000);
      return [ratio("50,000 behind 100,000 delayed and 100,000 of a paused class", obstructed, free)];
    },
  },
  ...[1, 4].flatMap((workers) =>
    engines.map((engine) =>
      on("steps", engine, "workflow", (bench) => steps(bench, { workers, runs: 1000, length: 10 })),
    ),
  ),
  ...engines.map((engine) => on("fanout", engine, "workflow", (bench) => fanout(bench, { items: 1000 }))),
  ...engines.map((engine) => on("step-latency", engine, "workflow", stepLatency)),
  on("run-size", "drover", "workflow", runSize),
  on("limit", "drover", "drain", limit),
  { ...on("environment", "drover", "drain", environment), isSteadfast: true },
  on("placement", "drover", "drain", placement),
  ...[1000, 5000].map((agents) => ({
    ...on("fleet", "drover", "drain", (bench) => fleet(bench, { agents })),
    isSteadfast: true,
  })),
  ...(["API", "agent", "SDK worker"] as const).map((program) => ({
    ...on("idle", "drover", "drain", (_bench, server) => idle(server, _bench, program)),
    isSteadfast: true,
  })),
  ...(["API", "agent"] as const).map((program) => ({
    ...on("memory", "drover", "drain", (bench) => memory(bench, program)),
    isSteadfast: true,
  })),
];

/** The names of all cases, in order. */
export const caseNames = [...new Set(measurements.map((measurement) => measurement.case))];

/** Why a case cannot be measured here; undefined where it can. */
export function whySkipped(name: string): string | undefined {
  if (name === "environment") return whyNoRedis();
  const bundle = join(import.meta.dirname, "../../dist/api.js");
  return name === "memory" && !existsSync(bundle) ? "dist/ holds no bundle: npm run bundle makes it" : undefined;
}

function on(
  name: string,
  contestant: ContestantName,
  profile: Profile,
  measure: (bench: Bench, server: BenchServer) => Promise<Figure | Figure[]>,
): Measurement {
  return {
    case: name,
    contestant,
    run: (server) => withBench({ server, contestant, profile }, async (bench) => [await measure(bench, server)].flat()),
  };
}

/** All contestants at once, each on a database of its own. */
async function withAll(
  server: BenchServer,
  names: readonly ContestantName[],
  measure: (benches: Bench[]) => Promise<Figure[]>,
  benches: Bench[] = [],
): Promise<Figure[]> {
  const [contestant, ...rest] = names;
  if (contestant === undefined) return measure(benches);
  return withBench({ server, contestant, profile: "latency" }, (bench) =>
    withAll(server, rest, measure, [...benches, bench]),
  );
}

function ratio(metric: string, value: number, base: number): Figure {
  return {
    metric,
    contestant: "drover",
    value: value / base,
    unit: "x",
    note: `${Math.round(value)} against ${Math.round(base)} jobs/s`,
  };
}
