/** Billionths of a US dollar: the unit of every amount of money. */
export const nanosPerDollar = 1_000_000_000n;

/** Reads an amount such as `5`, `0.0001`, `$2.50` or `2.5 USD`; undefined where it is none, or finer than a billionth. */
export function parseMoney(text: string): bigint | undefined {
  const match = /^\$?(\d{1,9})(?:\.(\d{1,9}))?(?:\s*USD)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, dollars = "0", fraction = ""] = match;
  return BigInt(dollars) * nanosPerDollar + BigInt(fraction.padEnd(9, "0"));
}

/** An amount as people read it, exact: `0.006 USD`; the twin of `drover.money_text`. */
export function formatMoney(nanos: bigint): string {
  return `${formatDollars(nanos)} USD`;
}

/** The number of an amount in dollars, exact, as programs and tables take it. */
export function formatDollars(nanos: bigint): string {
  const whole = nanos < 0n ? -nanos : nanos;
  const fraction = (whole % nanosPerDollar).toString().padStart(9, "0").replace(/0+$/, "");
  return `${nanos < 0n ? "-" : ""}${whole / nanosPerDollar}${fraction === "" ? "" : `.${fraction}`}`;
}
