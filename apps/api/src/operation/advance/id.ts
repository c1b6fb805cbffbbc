import type { Executor } from "@drover/db/client";
import { nextSequence } from "@drover/db/query/advance";

/** Makes ids of the database's time and numbers drawn in advance, so that rows can name each other before they are written. */
export interface Ids {
  /** A new id, as a decimal bigint; throws `IdsExhausted` where nothing is left of what was drawn. */
  next(nowMs: number): string;
  /** Draws more, four times as many as the last time that they did not suffice. */
  grow(): Promise<void>;
  /** Draws what was used up before. */
  refill(): Promise<void>;
}

/** More ids were needed than drawn: the decision is made again, with more. */
export class IdsExhausted extends Error {}

const idEpochMs = Date.UTC(2020, 0, 1);

/** Ids from the sequence that all ids come from. */
export function createIds({ db, batch = 500 }: { db: Executor; batch?: number }): Ids {
  let numbers: number[] = [];
  let growth = batch;
  const draw = async (count: number) => {
    const drawn = await nextSequence(db, count);
    numbers = [...numbers, ...drawn];
  };
  return {
    next(nowMs) {
      const number = numbers.pop();
      if (number === undefined) throw new IdsExhausted("no numbers are left for ids");
      return ((BigInt(nowMs - idEpochMs) << 22n) | BigInt(number)).toString();
    },
    async grow() {
      growth = Math.min(growth * 4, 500_000);
      await draw(growth);
    },
    async refill() {
      growth = batch;
      if (numbers.length < batch / 2) await draw(batch);
    },
  };
}
