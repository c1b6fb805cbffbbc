import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import type { DatabaseOptions } from "./client.ts";

export interface Wakeups {
  /** Calls back on every hint; the text says what for (`class:cpu_short`, `holder:7`). Returns the way to stop. */
  subscribe(listener: (hint: string) => void): () => void;
  /** Whether hints arrive at the moment. */
  readonly isListening: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The one LISTEN connection of a process, on a direct URL. Hints only: whoever waits for one also polls.
 * A lost connection comes back by itself, and everyone is woken once, since hints may have been missed.
 */
export function createWakeups({ url, password }: Pick<DatabaseOptions, "url" | "password">): Wakeups {
  const listeners = new Set<(hint: string) => void>();
  const tell = (hint: string) => {
    for (const listener of listeners) listener(hint);
  };
  let client: postgres.Sql | undefined;
  let isListening = false;
  let isReturning = false;

  const listen = async (over: postgres.Sql) => {
    await over.unsafe(`listen ${channel}`);
    isListening = true;
    tell("reconnected");
  };
  /** Tries until it hears again; the driver's own way back never tells that the connection is gone. */
  const comeBack = async () => {
    isListening = false;
    if (isReturning) return;
    isReturning = true;
    for (let tries = 0; client !== undefined && !isListening; tries += 1) {
      await wait(Math.min(2000, 50 * 2 ** tries), undefined, { ref: false });
      if (client !== undefined) await listen(client).catch(() => {}); // still away: the next round tries again
    }
    isReturning = false;
  };

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get isListening() {
      return isListening;
    },
    async start() {
      const options = {
        ...(password && { password }),
        max: 1,
        idle_timeout: 0,
        max_lifetime: null,
        connect_timeout: 10,
        fetch_types: false,
        onnotice: () => {},
        onnotify: (_channel: string, hint: string) => tell(hint),
        onclose: () => void comeBack(),
        connection: { application_name: "drover-listen" },
      };
      client = postgres(url, options);
      await listen(client);
    },
    async stop() {
      const leaving = client;
      client = undefined;
      isListening = false;
      await leaving?.end({ timeout: 1 });
    },
  };
}

export const channel = "drover_wake";
