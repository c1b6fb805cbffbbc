import { CronPattern } from "croner";
import { cronTimes } from "./cron.ts";
import { findSimilar } from "./similar.ts";

/** What is wrong with a cron expression, field by field, as "expected X, got Y"; undefined when nothing is. */
export function cronFault(cron: string): string | undefined {
  const text = cron.trim();
  if (text.startsWith("@")) return nicknameFault(text);
  const parts = text.split(/\s+/).filter((part) => part !== "");
  const fields = parts.length === 6 ? allFields : allFields.slice(1);
  if (parts.length !== fields.length) {
    return `expected 5 fields (${names(allFields.slice(1))}), or 6 with the second before them, or a word such as @daily; got ${parts.length} fields in ${JSON.stringify(cron)}`;
  }
  const faults = fields.flatMap((field, place) => {
    const part = parts[place] ?? "";
    const alone = fields.map((_, other) => (other === place ? part : "*")).join(" ");
    return isReadable(alone) ? [] : [`expected the ${field.name} as ${field.expects}, got ${JSON.stringify(part)}`];
  });
  if (faults.length > 0) return faults.join("; ");
  // Two fields that are right, each for itself, may still name no day, such as 31 February.
  return cronTimes(text, "UTC").after(aLeapYearMs) === undefined
    ? `expected a time that comes at all, got ${JSON.stringify(cron)}, whose days are in none of its months`
    : undefined;
}

const list = "also ranges (1-5), lists (1,3) and steps (*/2, 1-9/2)";
const allFields = [
  { name: "second", expects: `0 to 59 or *, ${list}` },
  { name: "minute", expects: `0 to 59 or *, ${list}` },
  { name: "hour", expects: `0 to 23 or *, ${list}` },
  { name: "day of the month", expects: `1 to 31, L (the last) or *, ${list}` },
  { name: "month", expects: `1 to 12, JAN to DEC or *, ${list}` },
  { name: "day of the week", expects: `0 to 7 (0 and 7 are Sunday), SUN to SAT, MON#2 (the second) or *, ${list}` },
] as const;

const nicknames = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const aLeapYearMs = Date.UTC(2024, 0, 1);

function nicknameFault(text: string): string | undefined {
  if (nicknames.includes(text.toLowerCase())) return undefined;
  const similar = findSimilar(text, nicknames);
  const hint = similar === undefined ? "" : `; did you mean ${JSON.stringify(similar)}?`;
  return `expected one of ${nicknames.join(", ")}, or a cron expression, got ${JSON.stringify(text)}${hint}`;
}

function isReadable(cron: string): boolean {
  try {
    return new CronPattern(cron, "UTC", { mode: "5-or-6-parts" }) instanceof CronPattern;
  } catch {
    return false; // The library says why in words of its own; ours name the field and what it takes.
  }
}

function names(fields: readonly { name: string }[]): string {
  return fields.map(({ name }) => name).join(", ");
}
