/** Lets so many in at a time; the others wait in line. */
export type Turnstile = <T>(work: () => Promise<T>) => Promise<T>;

/** A turnstile with `places`; undefined lets everyone in at once. */
export function createTurnstile(places: number | undefined): Turnstile {
  if (places === undefined) return (work) => work();
  const line: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((enter) => line.push(enter));
    try {
      return await work();
    } finally {
      // A place that is left goes to the next in line, so nobody who comes just now can take it first.
      const next = line.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
