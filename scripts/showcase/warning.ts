import { readLogEntry, renderLogEntry } from "../../apps/cli/src/child-log.ts";
import type { Color } from "../../apps/cli/src/table.ts";

/** What `drover up --json` writes to stderr, as a line for people: a log entry of API or agent, its own error, or a text. */
export function describeWarning(line: string, paint: (text: string, color: Color | undefined) => string): string {
  try {
    const { app, error } = JSON.parse(line) as { app?: string; error?: { message?: string } };
    if (app !== undefined) return renderLogEntry(readLogEntry(line), app, paint);
    if (error?.message !== undefined) return error.message;
  } catch {
    // A text is shown as it came.
  }
  return line;
}
