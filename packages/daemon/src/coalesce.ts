export interface CoalesceOptions<Item, Result> {
  /** Handles a batch; answers in the order of the items. */
  run: (items: Item[]) => Promise<Result[]>;
  maxItems?: number;
  /** How many batches may be under way at once. */
  maxInFlight?: number;
}

/**
 * Turns concurrent single calls into batches: a call that finds a free place leaves with whatever else came in the
 * same turn of the event loop; while all places are taken, callers gather for the next batch. No call waits for company.
 */
export function createCoalescer<Item, Result>({
  run,
  maxItems = 1000,
  maxInFlight = 2,
}: CoalesceOptions<Item, Result>): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let inFlight = 0;
  let isScheduled = false;

  const depart = async () => {
    isScheduled = false;
    if (inFlight >= maxInFlight || waiting.length === 0) return;
    const batch = waiting.length <= maxItems ? waiting : waiting.slice(0, maxItems);
    waiting = batch === waiting ? [] : waiting.slice(maxItems);
    inFlight += 1;
    if (waiting.length > 0) schedule();
    try {
      const results = await run(batch.map((w) => w.item));
      for (const [index, w] of batch.entries()) w.resolve(results[index] as Result);
    } catch (error) {
      for (const w of batch) w.reject(error);
    } finally {
      inFlight -= 1;
      schedule();
    }
  };
  const schedule = () => {
    if (isScheduled || waiting.length === 0 || inFlight >= maxInFlight) return;
    isScheduled = true;
    setImmediate(() => void depart());
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}
