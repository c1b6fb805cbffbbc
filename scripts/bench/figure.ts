/** What a measurement cost per job. */
export interface Cost {
  postgresCpuMicros: number;
  clientCpuMicros: number;
  walBytes: number;
  transactions: number;
}

/** One value that was measured once. */
export interface Figure {
  /** `drain.one-worker`, `latency.p50`: what a row of the report compares. */
  metric: string;
  contestant: string;
  value: number;
  unit: string;
  cost?: Cost;
  note?: string;
}
