/** Cuts text that comes in pieces into whole lines; what is left of a line waits for its end, up to a bound. */
export function createLineReader(
  onLines: (lines: string[]) => void,
  maxLineChars = 4096,
): { push(text: string): void; flush(): void } {
  let partial = "";
  return {
    push(text) {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      if (partial.length > maxLineChars) {
        lines.push(partial.slice(0, maxLineChars));
        partial = "";
      }
      if (lines.length > 0) onLines(lines);
    },
    flush() {
      if (partial !== "") onLines([partial]);
      partial = "";
    },
  };
}
