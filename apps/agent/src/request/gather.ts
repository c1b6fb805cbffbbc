export interface Gatherer<T> {
  /** Where so much has gathered that it must be sent first, what to wait for. */
  add(item: T, bytes: number): Promise<void> | undefined;
  /** Sends what there is. */
  flush(): Promise<void>;
}

export interface GathererOptions<T> {
  send: (items: T[]) => Promise<void>;
  waitMs?: number;
  maxBytes?: number;
}

/** Gathers items for a moment, or up to a size, and sends them together; while it sends, at most one size more. */
export function createGatherer<T>({ send, waitMs = 50, maxBytes = 262_144 }: GathererOptions<T>): Gatherer<T> {
  let items: T[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;

  const drain = async () => {
    try {
      while (items.length > 0) {
        const batch = items;
        items = [];
        bytes = 0;
        await send(batch);
      }
    } finally {
      sending = undefined;
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (sending === undefined && items.length > 0) sending = drain();
    return sending ?? Promise.resolve();
  };
  return {
    add(item, itemBytes) {
      items.push(item);
      bytes += itemBytes;
      if (bytes >= maxBytes) return flush();
      if (sending === undefined) timer ??= setTimeout(() => void flush(), waitMs);
      return undefined;
    },
    flush,
  };
}
