const maxDistance = 2;

/** The known word that was most likely meant ("did you mean"): at most 2 letters off, and not all of them. */
export function findSimilar(word: string, known: Iterable<string>): string | undefined {
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    const isClose = distance <= maxDistance && distance < Math.min(word.length, candidate.length);
    if (isClose && (best === undefined || distance < best.distance)) {
      best = { candidate, distance };
    }
  }
  return best?.candidate;
}

/** Levenshtein's distance; anything above 2 may come back as Infinity. */
export function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > maxDistance) {
    return Number.POSITIVE_INFINITY;
  }
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const swap = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(swap, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1));
    }
    above = line;
  }
  return above[b.length] ?? 0;
}
