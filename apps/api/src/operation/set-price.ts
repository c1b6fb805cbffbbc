import { addPrice, type NewPrice, type PriceRow } from "@drover/db/query/price";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** Adds a price to the history of its model. Calls are charged by the price of the moment they were claimed in. */
export async function setPrice(deps: Deps, caller: Caller, price: NewPrice): Promise<PriceRow> {
  if (price.effectiveFrom !== undefined && price.effectiveFrom.getTime() < Date.now() - pastMs) {
    const message = `Expected a time from now on, got ${price.effectiveFrom.toISOString()}: what was charged stays charged.`;
    throw new DroverError("invalid", message, { fields: [{ field: "price.effective_from", message }] });
  }
  const row = await addPrice(deps.db, price, caller.actor);
  if (row === undefined) {
    throw new DroverError(
      "conflict",
      `There is a price of ${price.provider} ${price.model} from this very moment on already.`,
      { hint: "Choose a later time." },
    );
  }
  return row;
}

/** Clocks of clients may be a little behind. */
const pastMs = 60_000;
