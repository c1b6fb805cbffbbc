import { type Clock, systemClock } from "./clock.ts";

/** The part of `process` that this needs. */
export interface SignalledProcess {
  readonly pid: number;
  on(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

export interface StopSignalOptions {
  process: SignalledProcess;
  signals?: NodeJS.Signals[];
  clock?: Clock;
}

/**
 * A signal that aborts when the process is asked to stop; its reason is the name of what asked, such as "SIGTERM".
 * A repeat within two seconds is an echo (a terminal, npm and a parent each pass on the same Ctrl-C); a later one
 * ends the process at once.
 */
export function stopSignal({
  process,
  signals = ["SIGTERM", "SIGINT", "SIGHUP"],
  clock = systemClock,
}: StopSignalOptions): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const hear = (signal: NodeJS.Signals) => {
    if (firstAt === undefined) {
      firstAt = clock.now();
      controller.abort(signal);
    } else if (clock.now() - firstAt >= echoMs) {
      // Without a listener the signal does what it does by default: the exit status tells the parent which one it was.
      for (const name of signals) process.off(name, hear);
      process.kill(process.pid, signal);
    }
  };
  for (const name of signals) process.on(name, hear);
  return controller.signal;
}

const echoMs = 2_000;
