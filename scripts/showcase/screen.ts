import { type Color, type Column, renderTable } from "../../apps/cli/src/table.ts";
import { cutText } from "../../apps/cli/src/text-width.ts";

/** What the demo writes to. */
export interface Screen {
  line(text?: string): void;
  /** A named fact, such as `API  http://...`. */
  fact(name: string, text: string): void;
  /** What goes on at the moment: on a terminal one line that is replaced, elsewhere lines now and then. */
  status(text: string): void;
  /** The same for a batch of tasks. */
  progress(tally: Tally): void;
  /** Removes the status line. */
  clear(): void;
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void;
  paint(text: string, color: Color | undefined): string;
}

export interface ScreenOptions {
  stdout: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  isColored: boolean;
  now?: () => number;
}

const quietMs = 1000;
const indent = "  ";
const barWidth = 20;
const codes: Record<Color, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34 };

/** Makes the screen of one run. */
export function createScreen({ stdout, isColored, now = () => performance.now() }: ScreenOptions): Screen {
  const isTerminal = stdout.isTTY === true;
  let isStatusShown = false;
  let lastStatus = "";
  let statusAt = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (isStatusShown) stdout.write("\r\u001B[2K");
    isStatusShown = false;
  };
  const line = (text = "") => {
    clear();
    stdout.write(`${text === "" ? "" : indent + text}\n`);
  };
  const paint = (text: string, color: Color | undefined) =>
    color !== undefined && isColored && isTerminal ? `\u001B[${codes[color]}m${text}\u001B[0m` : text;
  const status = (text: string) => {
    if (isTerminal) {
      isStatusShown = true;
      stdout.write(`\r\u001B[2K${indent}${cutText(text, (stdout.columns || 80) - indent.length - 1)}`);
    } else if (text !== lastStatus && now() - statusAt >= quietMs) {
      statusAt = now();
      lastStatus = text;
      line(text);
    }
  };
  return {
    line,
    clear,
    paint,
    fact: (name, text) => line(`${paint(name.padEnd(11), "dim")} ${text}`),
    status,
    progress: (tally) => status(describeTally(tally, isTerminal)),
    table(columns, rows) {
      for (const text of renderTable({ columns, rows, paint })) line(text);
    },
  };
}

/** How far a batch is. */
export interface Tally {
  total: number;
  done: number;
  running: number;
  /** Pending, or waiting for another attempt. */
  pending: number;
  holders: readonly string[];
}

/**
 * How far a batch is, and who works on it.
 * @example describeTally({ total: 40, done: 10, running: 4, pending: 26, holders: ["n1"] }, false) // "10 of 40 done, 4 running on n1, 26 pending"
 */
export function describeTally({ total, done, running, pending, holders }: Tally, hasBar: boolean): string {
  const where = holders.length === 0 ? "" : ` on ${holders.join(", ")}`;
  const full = Math.floor((done / Math.max(1, total)) * barWidth);
  const bar = hasBar ? `[${"#".repeat(full)}${"-".repeat(barWidth - full)}]  ` : "";
  return `${bar}${done} of ${total} done, ${running} running${where}, ${pending} pending`;
}
