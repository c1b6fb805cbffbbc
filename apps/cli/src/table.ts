import { cutText, printable, textWidth } from "./text-width.ts";

export interface Column {
  heading: string;
  align?: "left" | "right";
  /** May be cut where the terminal is too narrow; the last of them is cut first. */
  isFlexible?: boolean;
}

export interface Cell {
  text: string;
  color?: Color;
}

export type Color = "red" | "green" | "yellow" | "blue" | "dim" | "bold";

export interface TableOptions {
  columns: readonly Column[];
  rows: readonly (readonly (Cell | string)[])[];
  /** Absent: as wide as it gets, as in a pipe. */
  width?: number | undefined;
  paint?: (text: string, color: Color | undefined) => string;
}

const gap = "  ";
const leastWidth = 8;

/** Lines of an aligned table; a last column on the left is not padded, so that no line ends in blanks. */
export function renderTable({ columns, rows, width, paint = (text) => text }: TableOptions): string[] {
  const cells = rows.map((row) => columns.map((_, index) => toCell(row[index])));
  const head: Cell[] = columns.map(({ heading }) => ({ text: heading, color: "bold" }));
  const widths = fit(columns, natural(columns, [head, ...cells]), width);
  return [head, ...cells].map((row) =>
    row
      .map(({ text, color }, index) => {
        const cut = cutText(text, widths[index] ?? 0);
        const blank = " ".repeat(Math.max(0, (widths[index] ?? 0) - textWidth(cut)));
        const painted = paint(cut, color);
        return columns[index]?.align === "right" ? blank + painted : painted + (index === row.length - 1 ? "" : blank);
      })
      .join(gap)
      .trimEnd(),
  );
}

/** Facts as two columns: what they are called, and what they are. */
export function renderFacts(
  facts: readonly (readonly [string, Cell | string])[],
  paint: NonNullable<TableOptions["paint"]>,
): string[] {
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.map(([name, fact]) => {
    const { text, color } = toCell(fact);
    return `${paint(name.padEnd(width), "dim")}${gap}${paint(text, color)}`;
  });
}

function toCell(cell: Cell | string | undefined): Cell {
  if (cell === undefined) return { text: "" };
  return typeof cell === "string" ? { text: printable(cell) } : { ...cell, text: printable(cell.text) };
}

function natural(columns: readonly Column[], rows: readonly Cell[][]): number[] {
  return columns.map((_, index) => rows.reduce((most, row) => Math.max(most, textWidth(row[index]?.text ?? "")), 0));
}

function fit(columns: readonly Column[], widths: number[], width: number | undefined): number[] {
  if (width === undefined) return widths;
  const fitted = [...widths];
  let excess = fitted.reduce((sum, each) => sum + each, gap.length * (columns.length - 1)) - width;
  for (const index of columns.keys().toArray().toReversed()) {
    if (excess <= 0) break;
    const own = fitted[index] ?? 0;
    if (columns[index]?.isFlexible !== true || own <= leastWidth) continue;
    const cut = Math.min(excess, own - leastWidth);
    fitted[index] = own - cut;
    excess -= cut;
  }
  return fitted;
}
