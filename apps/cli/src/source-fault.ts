import type { Fault } from "@drover/document/source/fault";
import { DroverError } from "@drover/domain/error";
import type { Context } from "./command.ts";
import type { ExitCode } from "./exit.ts";
import { sayFault } from "./say-fault.ts";
import type { SourceFile } from "./source-file.ts";
import type { Color } from "./table.ts";
import { cutText, printable, textWidth } from "./text-width.ts";

export interface FaultOptions {
  file: SourceFile;
  /** How many columns there are. */
  width: number;
  color: Color;
  paint: (text: string, color: Color | undefined) => string;
}

const shownFaults = 50;

/** Whatever was to be done with a file that has faults: as when it is only checked. */
const faultsExit: ExitCode = 1;

/** Faults with their place, the line they stand in, a mark below it, and what to do; lines for a person. */
export function renderFaults(faults: readonly Fault[], options: FaultOptions): string[] {
  const sourceLines = options.file.text.split(/\r?\n/);
  const lines = faults.slice(0, shownFaults).flatMap((fault) => renderFault(fault, sourceLines, options));
  const more = faults.length - shownFaults;
  return more > 0 ? [...lines, `... and ${more} more; --json lists them all.`] : lines;
}

/** `a fault`, `2 faults`. */
export function countFaults(count: number): string {
  return count === 1 ? "a fault" : `${count} faults`;
}

/** Says on stderr what is wrong with a file, and why nothing was done with it; answers what to exit with. */
export function refuseFile(
  { output, world }: Context,
  { file, faults, hint }: { file: SourceFile; faults: readonly Fault[]; hint: string },
): ExitCode {
  const message = `${file.name} has ${countFaults(faults.length)}.`;
  if (output.isJson) {
    const fields = faults.map(({ line, column, message: fault, hint: advice }) => ({
      field: `${line}:${column}`,
      message: [fault, advice].filter(Boolean).join(" "),
    }));
    sayFault(output, new DroverError("invalid", message, { fields, hint }));
    return faultsExit;
  }
  const width = world.stderr.columns || 120;
  const options = { file, width, color: "red", paint: output.paintError } as const;
  for (const line of renderFaults(faults, options)) output.complain(line);
  output.complain(`${output.paintError("Error:", "red")} ${message}`);
  return faultsExit;
}

function renderFault(fault: Fault, sourceLines: readonly string[], options: FaultOptions): string[] {
  const { file, paint } = options;
  const { line, column, message, hint } = fault;
  const place =
    line > 0 ? `${file.name}:${line}:${column}` : `${file.name}${fault.path === "" ? "" : ` ${fault.path}`}`;
  const source = line > 0 ? sourceLines[line - 1] : undefined;
  return [
    `${paint(`${place}:`, "bold")} ${printable(message)}`,
    ...(source === undefined ? [] : excerpt(source, fault, options)),
    ...(hint === undefined ? [] : [`      ${printable(hint)}`]),
  ];
}

/** The line, or the part of it around the fault, with carets below what is meant. */
function excerpt(source: string, fault: Fault, { width, color, paint }: FaultOptions): string[] {
  const { line, column, endLine, endColumn } = fault;
  const gutter = `${String(line).padStart(5)} | `;
  const room = Math.max(20, width - gutter.length);
  const from = column - 1;
  const to =
    endLine === line && endColumn !== undefined && endColumn > column
      ? endColumn - 1
      : Math.max(from + 1, endLine === line ? 0 : source.length);
  const start = from < room - 10 ? 0 : from - Math.floor(room / 3);
  const lead = (start > 0 ? "…" : "") + plain(source.slice(start, from));
  const text = cutText(lead + plain(source.slice(from)), room);
  const marked = Math.max(1, Math.min(textWidth(plain(source.slice(from, to))), room - textWidth(lead)));
  const carets = " ".repeat(textWidth(lead)) + paint("^".repeat(marked), color);
  return [paint(gutter, "dim") + text, paint(`${" ".repeat(gutter.length - 2)}| `, "dim") + carets];
}

/** Tabs take one column here, so that the mark stands where it belongs. */
function plain(text: string): string {
  return printable(text.replaceAll("\t", " "));
}
