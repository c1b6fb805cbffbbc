import type { Log } from "./log.ts";
import { type Clock, systemClock } from "./clock.ts";
import { aborted, within } from "./deadline.ts";

/**
 * What runs for as long as a process does: a listener, a pool, a loop.
 *
 * start resolves when the service is ready for those after it. stop ends it and frees what it holds; the signal
 * aborts when time is up, and the service then lets go by force. stop is also called where start failed or is
 * still under way, and must then free what start has taken so far.
 */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(deadline: AbortSignal): Promise<void>;
}

export interface RunOptions {
  /** When it aborts, everything is stopped. */
  signal: AbortSignal;
  /** Time for all stops together. */
  stopSeconds: number;
  log: Log;
  /** Called once when every service has started. */
  onStarted?: () => void;
  clock?: Clock;
}

/**
 * Starts the services in order, waits for the signal, stops them in reverse. A failed start stops those before it
 * and is thrown; a failed stop is logged and makes the answer not clean. It ends whatever the services do.
 */
export async function runServices(services: Service[], options: RunOptions): Promise<{ clean: boolean }> {
  const begun: Service[] = [];
  const failure = await startAll(services, begun, options);
  if (!failure) await aborted(options.signal);
  const clean = await stopAll(begun, options);
  if (failure) throw failure.error;
  return { clean };
}

async function startAll(
  services: Service[],
  begun: Service[],
  { signal, log, onStarted }: RunOptions,
): Promise<{ error: unknown } | undefined> {
  for (const service of services) {
    if (signal.aborted) return undefined;
    begun.push(service);
    try {
      // Raced, so that a start which hangs cannot keep the process from stopping.
      await Promise.race([service.start(), aborted(signal)]);
      log.debug({ service: service.name }, "service started");
    } catch (error) {
      log.error({ service: service.name, error }, "service could not start");
      return { error };
    }
  }
  if (!signal.aborted) onStarted?.();
  return undefined;
}

/** After a slow service used up the time, each one left still gets this much. */
const lastMs = 1_000;
/** How long a service has, once its deadline has passed, to let go by force. */
const forceMs = 500;

async function stopAll(begun: Service[], { stopSeconds, log, clock = systemClock }: RunOptions): Promise<boolean> {
  const end = clock.now() + stopSeconds * 1_000;
  let clean = true;
  for (const service of begun.toReversed()) {
    try {
      await stopOne(service, Math.max(end - clock.now(), lastMs), clock);
      log.debug({ service: service.name }, "service stopped");
    } catch (error) {
      clean = false;
      log.error({ service: service.name, error }, "service did not stop cleanly");
    }
  }
  return clean;
}

async function stopOne(service: Service, waitMs: number, clock: Clock): Promise<void> {
  const deadline = new AbortController();
  const lost = new AbortController();
  const cancels = [clock.after(waitMs, () => deadline.abort()), clock.after(waitMs + forceMs, () => lost.abort())];
  try {
    await within(service.stop(deadline.signal), { deadline: lost.signal, what: `${service.name} to stop` });
  } finally {
    for (const cancel of cancels) cancel();
  }
}
