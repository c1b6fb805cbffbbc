/** Settles in rounds that name each task once: a batch may carry two attempts of a task, or one of them twice. */
export async function eachOnce<Item extends { taskKey: string }>(
  batch: Item[],
  settle: (round: Item[]) => Promise<string[]>,
): Promise<Item[]> {
  const rounds: Map<string, Item>[] = [];
  const counts = new Map<string, number>();
  for (const item of batch) {
    const count = counts.get(item.taskKey) ?? 0;
    counts.set(item.taskKey, count + 1);
    const round = (rounds[count] ??= new Map());
    round.set(item.taskKey, item);
  }
  const stale = new Set<Item>();
  for (const round of rounds) {
    for (const key of await settle([...round.values()])) {
      const item = round.get(key);
      if (item !== undefined) stale.add(item);
    }
  }
  return batch.filter((item) => stale.has(item));
}
