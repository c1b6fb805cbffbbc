import { setTimeout as pause } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Environment } from "@drover/proto/drover/environment";
import { type Client, isAway } from "./client.ts";
import { notAnswered } from "./fault.ts";

export interface FollowEnvironmentOptions {
  client: Client;
  name: string;
  signal: AbortSignal;
  /** Whether it may be gone before it was seen; else that it is not there is an error. */
  mayBeGone?: boolean;
  /** Told of the environment as it is now, then once per change; answers whether that is enough. */
  onChange: (environment: Environment) => boolean;
}

const patience = 8;

/** Watches an environment until it is enough, over restarts of the API; undefined: it is gone. */
export async function followEnvironment(options: FollowEnvironmentOptions): Promise<Environment | undefined> {
  const { client, name, signal, mayBeGone = false, onChange } = options;
  let isKnown = mayBeGone;
  for (let failures = 0; ;) {
    const leave = new AbortController();
    const call = { signal: AbortSignal.any([signal, leave.signal]), timeoutMs: 0 };
    try {
      for await (const { environment } of client.environments.watchEnvironment({ name }, call)) {
        if (environment === undefined) throw notAnswered("an environment");
        failures = 0;
        isKnown = true;
        if (onChange(environment)) return environment;
      }
      // It was deleted, or the server stops: asking again tells which.
      failures += 1;
      if (failures > patience) throw notAnswered("the environment");
    } catch (error) {
      if (isKnown && error instanceof ConnectError && error.code === Code.NotFound) return undefined;
      failures += 1;
      if (signal.aborted || !isAway(error) || failures > patience) throw error;
    } finally {
      // The connection of a stream that is left is open until it is told, and keeps the program running.
      leave.abort();
    }
    await pause(Math.min(5000, 100 * 2 ** failures) * (1 - Math.random() / 2), undefined, { signal });
  }
}
