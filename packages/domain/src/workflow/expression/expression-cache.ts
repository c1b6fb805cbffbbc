/** Remembers the answers for the texts asked for last; texts that are too long to keep are parsed each time. */
export function memoise<Answer>(
  parse: (text: string) => Answer,
  { entries, maxLength }: { entries: number; maxLength: number },
): (text: string) => Answer {
  const known = new Map<string, Answer>();
  return function parseOnce(text) {
    if (text.length > maxLength) return parse(text);
    const answer = known.get(text) ?? parse(text);
    known.delete(text);
    known.set(text, answer);
    const [oldest] = known.size > entries ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    return answer;
  };
}
