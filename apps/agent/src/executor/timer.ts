const longestMs = 2_147_483_647;

/** Calls once after the time, which may be longer than the 24 days of a plain timer. Returns the way to call it off. */
export function callAfter(ms: number, call: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    timer = setTimeout(
      () => (leftMs > longestMs ? arm(leftMs - longestMs) : call()),
      Math.min(Math.max(0, leftMs), longestMs),
    );
  };
  arm(ms);
  return () => clearTimeout(timer);
}
