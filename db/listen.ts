import postgres from "postgres";

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
export function createWakeups({ url }: { url: string }): Wakeups {
  const listeners = new Set<(hint: string) => void>();
  const tell = (hint: string) => {
    for (const listener of listeners) listener(hint);
  };
  let client: postgres.Sql | undefined;
  let isListening = false;
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get isListening() {
      return isListening;
    },
    async start() {
      client = postgres(url, {
        max: 1,
        idle_timeout: 0,
        max_lifetime: null,
        connect_timeout: 10,
        fetch_types: false,
        onnotice: () => {},
        connection: { application_name: "drover-listen" },
        onclose: () => {
          isListening = false;
        },
      });
      await client.listen(channel, tell, () => {
        isListening = true;
        tell("reconnected");
      });
    },
    async stop() {
      isListening = false;
      await client?.end({ timeout: 1 });
    },
  };
}

export const channel = "drover_wake";
