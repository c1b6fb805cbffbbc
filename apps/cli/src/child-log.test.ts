import { describe, expect, it } from "vitest";
import { isImportant, readLogEntry, renderLogEntry } from "./child-log.ts";

const plain = (text: string) => text;
const line = JSON.stringify({
  level: "warn",
  time: new Date(2026, 0, 1, 8, 47, 56).toISOString(),
  app: "api",
  service: "listener",
  error: { message: "Port taken.", stack: "Error: ..." },
  message: "service could not start",
});

describe("a line that a program logs", () => {
  it("is shown to people with its time, its level and its facts, an error by its message", () => {
    expect(renderLogEntry(readLogEntry(line), "api", plain)).toBe(
      '08:47:56 api    warn  service could not start  service=listener error="Port taken."',
    );
  });

  it("is shown as it came where it is no JSON, without what would move the cursor", () => {
    expect(renderLogEntry(readLogEntry("Cannot listen\u001B[2J"), "agent", plain)).toBe("agent  Cannot listen\\x1b[2J");
    expect(readLogEntry("{}").level).toBe("text");
  });

  it("matters to a person from warnings on", () => {
    expect(isImportant(readLogEntry(line))).toBe(true);
    expect(isImportant(readLogEntry(line.replace("warn", "info")))).toBe(false);
    expect(isImportant(readLogEntry("a stack trace"))).toBe(true);
  });
});
