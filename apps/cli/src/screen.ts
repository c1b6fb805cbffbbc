import type { Output } from "./output.ts";
import { groupDigits } from "./progress.ts";

/** Something that changes, drawn again in its place. */
export interface Screen<T> {
  show(value: T): void;
  /** Ends the drawing, and leaves its last state. */
  end(): void;
}

export interface ScreenOptions<T> {
  output: Output;
  render: (value: T, options: RenderOptions) => readonly string[];
  /** How often durations tick. */
  intervalMs?: number;
}

export interface RenderOptions {
  /** How many rows there is room for. */
  most: number;
  /** Whether this is what stays. */
  isLast: boolean;
}

const mostLeft = 200;
/** Headline, empty line, headings. */
const linesAround = 3;

/** Makes the drawing; between changes it is drawn again so that durations tick. */
export function createScreen<T>({ output, render, intervalMs = 250 }: ScreenOptions<T>): Screen<T> {
  const live = output.live();
  let last: { value: T } | undefined;
  const draw = () => {
    if (last !== undefined) live.draw(render(last.value, { most: live.height - linesAround, isLast: false }));
  };
  const timer = setInterval(draw, intervalMs);
  return {
    show(value) {
      last = { value };
      draw();
    },
    end() {
      clearInterval(timer);
      live.clear();
      if (last === undefined) return;
      for (const line of render(last.value, { most: mostLeft, isLast: true })) output.line(line);
    },
  };
}

export interface ChooseOptions<T> {
  most: number;
  /** What they are, of several. */
  noun: string;
  wordOf: (item: T) => string;
  /** What is to be seen first; a word that is not here comes last. */
  ranks: Readonly<Record<string, number>>;
}

/** What is to be seen where not everything can be: in its order, with a count of the others by their words. */
export function chooseShown<T>(
  items: readonly T[],
  { most, noun, wordOf, ranks }: ChooseOptions<T>,
): { shown: readonly T[]; hidden: string | undefined } {
  if (items.length <= most) return { shown: items, hidden: undefined };
  const chosen = new Set(
    items
      .map((item, place) => ({ item, place, rank: ranks[wordOf(item)] ?? 9 }))
      .toSorted((a, b) => a.rank - b.rank || a.place - b.place)
      .slice(0, Math.max(1, most - 1))
      .map(({ item }) => item),
  );
  const others = items.filter((item) => !chosen.has(item));
  const counts = [...Map.groupBy(others, wordOf)].map(([word, { length }]) => `${groupDigits(length)} ${word}`);
  return {
    shown: items.filter((item) => chosen.has(item)),
    hidden: `... and ${groupDigits(others.length)} ${noun} more: ${counts.join(", ")}`,
  };
}
