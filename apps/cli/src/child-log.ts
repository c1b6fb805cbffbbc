import type { Color } from "./table.ts";
import { printable } from "./text-width.ts";

/** A line of a program's log: its fields, or just a text where it is not JSON. */
export interface LogEntry {
  level: string;
  time: string;
  message: string;
  fields: Record<string, unknown>;
}

/** Reads a line that a program wrote. */
export function readLogEntry(line: string): LogEntry {
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json === "object" && json !== null && "level" in json && "message" in json) {
      const { level, time, message, app: _, ...fields } = json as Record<string, unknown>;
      return { level: String(level), time: String(time), message: String(message), fields };
    }
  } catch {
    // What is no JSON is shown as it came.
  }
  return { level: "text", time: "", message: line, fields: {} };
}

/** Whether a person should see the line although nobody asked for details. */
export function isImportant({ level }: LogEntry): boolean {
  return ["text", "warn", "error", "fatal"].includes(level);
}

/** A line for people: when, who, what, and the facts. */
export function renderLogEntry(
  entry: LogEntry,
  name: string,
  paint: (text: string, color: Color | undefined) => string,
): string {
  const { level, time, message, fields } = entry;
  if (level === "text") return `${paint(name.padEnd(5), "dim")}  ${printable(message)}`;
  const clock = new Date(time).toTimeString().slice(0, 8);
  const facts = Object.entries(fields).map(([key, value]) => `${key}=${factText(value)}`);
  const color = level === "warn" ? "yellow" : level === "info" || level === "debug" ? undefined : "red";
  const head = paint(`${clock} ${name.padEnd(5)}`, "dim");
  return [head, `${paint(level.padEnd(5), color)} ${printable(message)}`, paint(printable(facts.join(" ")), "dim")]
    .filter(Boolean)
    .join("  ")
    .trimEnd();
}

function factText(value: unknown): string {
  if (typeof value === "object" && value !== null && "message" in value) return JSON.stringify(value.message);
  return typeof value === "string" && /^\S+$/.test(value) ? value : JSON.stringify(value);
}
