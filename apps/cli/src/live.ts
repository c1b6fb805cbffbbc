import type { Terminal } from "./world.ts";

/** Lines at the end of a terminal that are drawn again and again in their place. */
export interface Live {
  /** How many lines there is room for. */
  readonly height: number;
  draw(lines: readonly string[]): void;
  /** Removes them. */
  clear(): void;
}

/** Makes an area of lines; one that is too long is cut by the terminal, since a line that wraps would take two. */
export function createLive(terminal: Terminal): Live {
  let drawn = 0;
  // The cursor may stand behind what a person has typed, such as ^C.
  const home = () => (drawn > 0 ? `\r\u001B[${drawn}A` : "");
  return {
    get height() {
      return Math.max(5, (terminal.rows || 24) - 1);
    },
    draw(lines) {
      // Each line is written over the one before it, and only then is the rest removed: nothing flickers.
      const text = lines.map((line) => `${line}\u001B[K\n`).join("");
      terminal.write(`\u001B[?7l${home()}${text}\u001B[J\u001B[?7h`);
      drawn = lines.length;
    },
    clear() {
      if (drawn > 0) terminal.write(`${home()}\u001B[J`);
      drawn = 0;
    },
  };
}
