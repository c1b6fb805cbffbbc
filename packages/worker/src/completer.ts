import { retry } from "@drover/daemon/backoff";
import { DroverError } from "@drover/domain/error";
import type { Completion, Failure } from "./source.ts";

export interface CompleterOptions {
  complete: (batch: Completion[]) => Promise<string[]>;
  fail: (batch: Failure[]) => Promise<string[]>;
  /** Told for every claim that was no longer current; its result is dropped. */
  onStale?: (taskKey: string) => void;
  onError?: (error: unknown) => void;
  maxItems?: number;
}

export interface Completer {
  complete(item: Completion, done: () => void): void;
  fail(item: Failure, done: () => void): void;
  /** Resolves when everything handed in so far is settled or given up. */
  drain(): Promise<void>;
  /** Gives up on what cannot be delivered: the lease is over, the control plane takes the tasks back. */
  abandon(): void;
}

/**
 * Reports attempts in batches: whatever gathered while the last report was under way leaves with the next one.
 * `done` is called when the answer is in, so a slot is free only once its task is settled. Reports are repeated until
 * they get through: a report that landed while its answer was lost is stale the second time, which changes nothing.
 */
export function createCompleter({
  complete,
  fail,
  onStale = () => {},
  onError = () => {},
  maxItems = 1000,
}: CompleterOptions): Completer {
  let abandoned = new AbortController();
  const deliver = <Item>(send: (batch: Item[]) => Promise<string[]>, items: Item[]) =>
    retry(() => send(items), {
      signal: abandoned.signal,
      isRetryable: (error) => error instanceof DroverError && error.reason === "unavailable",
      onFailure: ({ error }) => onError(error),
    });
  const failures = createLane<Failure>(
    maxItems,
    async (items) => {
      for (const key of await deliver(fail, items)) onStale(key);
    },
    (_, error) => onError(error),
  );
  const completions = createLane<Completion>(
    maxItems,
    async (items) => {
      for (const key of await deliver(complete, items)) onStale(key);
    },
    (item, error, done) => {
      // The result itself is at fault: the attempt failed, and says why.
      onError(error);
      failures.add(
        {
          taskKey: item.taskKey,
          fence: item.fence,
          class: "result_refused",
          message: "The result could not be stored.",
        },
        done,
      );
      return "passed on";
    },
  );
  return {
    complete: (item, done) => completions.add(item, done),
    fail: (item, done) => failures.add(item, done),
    async drain() {
      await completions.idle();
      await failures.idle();
    },
    abandon() {
      abandoned.abort();
      abandoned = new AbortController();
    },
  };
}

interface Lane<Item> {
  add(item: Item, done: () => void): void;
  idle(): Promise<void>;
}

/** One report at a time; one that is refused as a whole is sent item by item, and only the faulty one is `refused`. */
function createLane<Item>(
  maxItems: number,
  send: (items: Item[]) => Promise<void>,
  refused: (item: Item, error: unknown, done: () => void) => "passed on" | void,
): Lane<Item> {
  let waiting: { item: Item; done: () => void }[] = [];
  let isBusy = false;
  let idle: (() => void)[] = [];

  const sendAll = async (batch: { item: Item; done: () => void }[]): Promise<void> => {
    try {
      await send(batch.map((entry) => entry.item));
    } catch (error) {
      const [only] = batch;
      if (batch.length === 1 && only !== undefined) {
        if (refused(only.item, error, only.done) !== "passed on") only.done();
      } else {
        for (const entry of batch) await sendAll([entry]);
      }
      return;
    }
    for (const entry of batch) entry.done();
  };
  const pump = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxItems);
      waiting = waiting.slice(batch.length);
      await sendAll(batch);
    }
    isBusy = false;
    for (const resolve of idle) resolve();
    idle = [];
  };
  return {
    add(item, done) {
      waiting.push({ item, done });
      if (isBusy) return;
      isBusy = true;
      setImmediate(() => void pump());
    },
    idle: () => (isBusy ? new Promise<void>((resolve) => idle.push(resolve)) : Promise.resolve()),
  };
}
