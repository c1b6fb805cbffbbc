/** Holds what has come in until a stream is ready to send it. */
export interface Mailbox<Item> {
  put(item: Item): void;
  /** The next `take` throws this. */
  fail(error: unknown): void;
  /** Everything that has come in; nothing after so much time, or once the signal is aborted. */
  take(waitMs: number): Promise<Item[]>;
}

/** A mailbox of one stream, which waits no longer once the signal of its call is aborted. */
export function createMailbox<Item>(signal: AbortSignal): Mailbox<Item> {
  let items: Item[] = [];
  let failure: { error: unknown } | undefined;
  let rouse = () => {};
  return {
    put(item) {
      items.push(item);
      rouse();
    },
    fail(error) {
      failure = { error };
      rouse();
    },
    async take(waitMs) {
      if (items.length === 0 && failure === undefined && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => rouse(), Math.max(0, waitMs));
          rouse = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", rouse);
            rouse = () => {};
            resolve();
          };
          signal.addEventListener("abort", rouse, { once: true });
        });
      }
      if (failure !== undefined) throw failure.error;
      const taken = items;
      items = [];
      return taken;
    },
  };
}
