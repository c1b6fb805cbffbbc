import { setTimeout as wait } from "node:timers/promises";
import { launchServer, type LaunchPlan, type Server } from "./launch.ts";
import { stopPostmaster } from "./postmaster.ts";

/** Where the supervisor tells what it does; a pino logger fits. */
export interface EmbeddedLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Starts the server again whenever it ends unasked, on the same port, with growing pauses while that fails. */
export function keepAlive(
  first: Server,
  plan: LaunchPlan,
  log: EmbeddedLog,
): { stop(deadlineMs: number): Promise<void> } {
  const stopping = new AbortController();
  let server = first;
  const watch = async (): Promise<void> => {
    for (let failures = 0; ;) {
      await server.ended;
      if (stopping.signal.aborted) return;
      log.error({ pid: server.pid, failures }, "PostgreSQL ended unasked and is started again");
      const pauseMs = failures === 0 ? 0 : Math.min(100 * 2 ** failures, 5_000);
      await wait(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        server = await launchServer(plan);
        failures = 0;
        log.info({ pid: server.pid, port: plan.port }, "PostgreSQL is back");
      } catch (error) {
        failures += 1; // the processes of a killed server may hold its shared memory for a moment
        log.error({ err: error, failures }, "PostgreSQL could not be started again");
      }
    }
  };
  const watching = watch();
  return {
    async stop(deadlineMs) {
      stopping.abort();
      // The server is no child that keeps this process alive, and its end may be told after it is seen to be gone.
      const alive = setInterval(() => undefined, 1000);
      try {
        await stopPostmaster(server.pid, plan.cluster, deadlineMs);
        await watching;
        await stopPostmaster(server.pid, plan.cluster, deadlineMs); // one that came up meanwhile
      } finally {
        clearInterval(alive);
      }
    },
  };
}
