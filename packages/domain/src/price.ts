/** What a model costs from a time on. `*` is any provider; a model that ends in `*` is any that begins so. */
export interface Price {
  provider: string;
  model: string;
  inputNanosPerMillion: bigint;
  outputNanosPerMillion: bigint;
  effectiveFrom: Date;
}

/**
 * The price of a model at a time; the twin of `drover.price_of`. The provider's own prices come before those of any, an
 * exact name before a beginning, a longer beginning before a shorter one, then the newest.
 */
export function findPrice(
  prices: readonly Price[],
  { provider, model, at }: { provider: string; model: string; at: Date },
): Price | undefined {
  const rank = (price: Price) =>
    [
      Number(price.provider !== "*"),
      Number(price.model === model),
      price.model.length,
      price.effectiveFrom.getTime(),
    ] as const;
  return prices
    .filter((price) => price.provider === provider || price.provider === "*")
    .filter((price) => selects(price.model, model) && price.effectiveFrom <= at)
    .toSorted((a, b) => compare(rank(b), rank(a)))[0];
}

/** What a call costs, rounded up; the twin of `drover.call_cost`. */
export function callCostNanos(
  tokens: { inputTokens: bigint; outputTokens: bigint },
  price: Pick<Price, "inputNanosPerMillion" | "outputNanosPerMillion">,
): bigint {
  const millionths =
    tokens.inputTokens * price.inputNanosPerMillion + tokens.outputTokens * price.outputNanosPerMillion;
  return (millionths + 999_999n) / 1_000_000n;
}

/** Whether a selector takes a name: undefined takes all, one that ends in `*` all that begin so; the twin of `drover.selects`. */
export function selects(selector: string | undefined, name: string): boolean {
  if (selector === undefined || selector === name) return true;
  return selector.endsWith("*") && name.startsWith(selector.slice(0, -1));
}

function compare(a: readonly number[], b: readonly number[]): number {
  const place = a.findIndex((value, index) => value !== b[index]);
  return (a[place] ?? 0) - (b[place] ?? 0);
}
