export interface Latest<T> {
  /** Takes the place of what was put under the key and not sent yet; resolves when everything that was put is sent. */
  put(key: string, value: T): Promise<void>;
}

/** Sends the newest value of each key, one after the other: a slow receiver misses only what was overtaken. */
export function createLatest<T>({ send }: { send: (value: T) => Promise<void> }): Latest<T> {
  const waiting = new Map<string, T>();
  let sending: Promise<void> | undefined;
  const drain = async () => {
    try {
      for (const [key, value] of waiting) {
        waiting.delete(key);
        await send(value);
      }
    } finally {
      sending = undefined;
    }
  };
  return {
    put(key, value) {
      waiting.set(key, value);
      sending ??= drain();
      return sending;
    },
  };
}
