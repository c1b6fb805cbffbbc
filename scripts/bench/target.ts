/** A metric with the median of every contestant. */
export interface Row {
  metric: string;
  unit: string;
  values: Map<string, number>;
}

export interface Verdict {
  target: string;
  isMet: boolean;
}

/** What Drover has to reach, by the beginning of a metric's name. */
const targets: { metric: string; target: string; isMet: (row: Row) => boolean }[] = [
  { metric: "submit one a call, 32", target: ">= 3.0 of the fastest peer", isMet: (row) => toPeer(row) >= 3 },
  { metric: "submit one a call, 32", target: ">= 0.6 of the floor", isMet: (row) => toFloor(row) >= 0.6 },
  { metric: "submit one a call through gRPC", target: ">= 0.7 of the floor", isMet: (row) => toFloor(row) >= 0.7 },
  { metric: "submit one a call through Connect", target: ">= 0.7 of the floor", isMet: (row) => toFloor(row) >= 0.7 },
  { metric: "submit batches", target: "> 1.0 of every peer", isMet: (row) => toPeer(row) > 1 },
  { metric: "submit batches", target: ">= 0.5 of the floor", isMet: (row) => toFloor(row) >= 0.5 },
  { metric: "drain", target: ">= 1.0 of the fastest peer", isMet: (row) => toPeer(row) >= 1 },
  {
    metric: "idle start latency, p50",
    target: "<= that of graphile-worker",
    isMet: (row) => own(row) <= of(row, "graphile-worker"),
  },
  { metric: "steady", target: ">= 5.0 of the fastest peer", isMet: (row) => toPeer(row) >= 5 },
  { metric: "start latency at half load, p99", target: "< 10 ms", isMet: (row) => own(row) < 10 },
  { metric: "first 20,000", target: ">= 0.9", isMet: (row) => own(row) >= 0.9 },
  { metric: "50,000 behind", target: "> 0.95", isMet: (row) => own(row) > 0.95 },
  { metric: "steps", target: ">= 3.0 of the fastest peer", isMet: (row) => toPeer(row) >= 3 },
  { metric: "fan-out of 1,000", target: "<= 0.33 of the fastest peer", isMet: (row) => toPeer(row) <= 1 / 3 },
  { metric: "step latency over that of a plain task, p50", target: "<= 3", isMet: (row) => own(row) <= 3 },
  { metric: "sequential steps, 10,000 against 1,000", target: "<= 2", isMet: (row) => own(row) <= 2 },
  { metric: "items of a map, 10,000 against 1,000", target: "<= 2", isMet: (row) => own(row) <= 2 },
  { metric: "fleet of 1000: Postgres, steady", target: "< 25 % of one core", isMet: (row) => own(row) < 25 },
  { metric: "fleet of 1000: syncs", target: "<= 200 /s", isMet: (row) => own(row) <= 200 },
  {
    metric: "fleet of 1000: Postgres in the interval",
    target: "< 120 % (60 % of two cores)",
    isMet: (row) => own(row) < 120,
  },
  { metric: "fleet of 1000: failed calls", target: "none", isMet: (row) => own(row) === 0 },
  { metric: "beyond by hand: apply until it is told", target: "<= 300 ms", isMet: (row) => own(row) <= 300 },
  { metric: "beyond by hand: kill", target: "<= 200 ms", isMet: (row) => own(row) <= 200 },
  { metric: "placement of 10,000", target: ">= 1000 /s", isMet: (row) => own(row) >= 1000 },
  { metric: "idle API", target: "<= 1 /s", isMet: (row) => own(row) <= 1 },
  { metric: "idle agent", target: "<= 1 /s", isMet: (row) => own(row) <= 1 },
  { metric: "idle SDK worker", target: "<= 1 /s", isMet: (row) => own(row) <= 1 },
  { metric: "bundled API", target: "< 100 MB", isMet: (row) => own(row) < 100 },
  { metric: "bundled agent", target: "< 80 MB", isMet: (row) => own(row) < 80 },
];

/** The targets of a metric and whether this run met them. */
export function judge(row: Row): Verdict[] {
  return targets
    .filter(({ metric }) => row.metric.startsWith(metric))
    .map(({ target, isMet }) => ({ target, isMet: isMet(row) }));
}

const lowIsGood = new Set(["ms", "s"]);

/** Drover's value over the floor's; NaN where the metric has no floor. */
export function toFloor(row: Row): number {
  return own(row) / of(row, "floor");
}

/** Drover's value over the best peer's: the highest rate, or the lowest latency. */
export function toPeer(row: Row): number {
  const peers = [...row.values].filter(([name]) => name !== "drover" && name !== "floor").map(([, value]) => value);
  if (peers.length === 0) return NaN;
  return own(row) / (lowIsGood.has(row.unit) ? Math.min(...peers) : Math.max(...peers));
}

function own(row: Row): number {
  return of(row, "drover");
}

function of(row: Row, contestant: string): number {
  return row.values.get(contestant) ?? NaN;
}
