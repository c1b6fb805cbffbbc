import { createLive, type Live } from "./live.ts";
import { createProgress, type Progress } from "./progress.ts";
import { type Cell, type Color, type Column, renderFacts, renderTable } from "./table.ts";
import type { Terminal } from "./world.ts";

/** Where a command says what it found: results on stdout, remarks and progress on stderr. */
export interface Output {
  readonly isJson: boolean;
  /** Whether a person looks at stdout. */
  readonly isTerminal: boolean;
  /** How many columns a person sees. */
  readonly width: number;
  paint(text: string, color: Color | undefined): string;
  line(text: string): void;
  /** One document, for programs. */
  json(value: unknown): void;
  /** One document per line, for streams. */
  jsonLine(value: unknown): void;
  table(columns: readonly Column[], rows: readonly (readonly (Cell | string)[])[]): void;
  /** The lines of a table, for who writes them. */
  tableLines(columns: readonly Column[], rows: readonly (readonly (Cell | string)[])[]): string[];
  facts(facts: readonly (readonly [string, Cell | string])[]): void;
  /** Text as it came, such as what a task printed. */
  raw(text: string, to: "stdout" | "stderr"): void;
  /** For the person only: silent where a program reads. */
  note(text: string): void;
  /** On stderr, whoever reads. */
  complain(text: string): void;
  paintError(text: string, color: Color | undefined): string;
  progress(title: string, total?: number): Progress;
  /** Lines on stdout that are drawn again in their place; only for a terminal. */
  live(): Live;
}

export interface OutputOptions {
  stdout: Terminal;
  stderr: Terminal;
  isJson: boolean;
  isColored: boolean;
}

/** Makes the output of one run. */
export function createOutput({ stdout, stderr, isJson, isColored }: OutputOptions): Output {
  const painter = (terminal: Terminal) => (text: string, color: Color | undefined) =>
    color !== undefined && isColored && terminal.isTTY === true && text !== ""
      ? `\u001B[${codes[color]}m${text}\u001B[0m`
      : text;
  const paint = painter(stdout);
  const line = (text: string) => void stdout.write(`${text}\n`);
  const tableLines: Output["tableLines"] = (columns, rows) => {
    const width = stdout.isTTY === true ? stdout.columns || undefined : undefined;
    return renderTable({ columns, rows, width, paint });
  };
  return {
    isJson,
    isTerminal: stdout.isTTY === true,
    get width() {
      return stdout.columns || 80;
    },
    paint,
    line,
    json: (value) => line(JSON.stringify(value, null, 2)),
    jsonLine: (value) => line(JSON.stringify(value)),
    table: (columns, rows) => tableLines(columns, rows).forEach(line),
    tableLines,
    facts: (facts) => renderFacts(facts, paint).forEach(line),
    raw: (text, to) => void (to === "stdout" ? stdout : stderr).write(text),
    note(text) {
      if (!isJson) stderr.write(`${text}\n`);
    },
    complain: (text) => void stderr.write(`${text}\n`),
    paintError: painter(stderr),
    progress: (title, total) =>
      createProgress({ terminal: stderr, title, total, isShown: stderr.isTTY === true && !isJson }),
    live: () => createLive(stdout),
  };
}

const codes: Record<Color, number> = { red: 31, green: 32, yellow: 33, blue: 34, dim: 2, bold: 1 };
