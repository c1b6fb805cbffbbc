import type { StopGrace } from "./executor.ts";

/** The grace of a stop in milliseconds: the operator's, or for a lost lease what is left of that, if it is less. */
export function graceOf(
  stopGraceSeconds: number,
  leaseLostGraceSeconds: () => number = () => stopGraceSeconds,
): StopGrace {
  return (reason) => {
    const seconds = reason === "lease_lost" ? Math.min(stopGraceSeconds, leaseLostGraceSeconds()) : stopGraceSeconds;
    return Math.max(0, seconds) * 1000;
  };
}
