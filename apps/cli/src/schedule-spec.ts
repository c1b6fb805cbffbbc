import { readFile } from "node:fs/promises";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { DroverError } from "@drover/domain/error";
import { catchUpPolicies, overlapPolicies } from "@drover/domain/schedule";
import { scheduleFaults } from "@drover/domain/schedule-fault";
import { CatchUp, Overlap, type ScheduleSpec, ScheduleSpecSchema } from "@drover/proto/drover/schedule";
import { durationOption, integerOption, type OptionValues, pairsOption, textOption } from "./option.ts";
import { usageError } from "./parse.ts";
import { unreadable } from "./text-file.ts";

const moment = {
  placeholder: "TIME",
  pattern: /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/,
  expects: "a time such as 2026-01-31T06:00:00Z",
};

/** The flags that say what a schedule is. */
export const scheduleOptions = {
  workflow: textOption({ doc: "The workflow that it starts.", placeholder: "NAME" }),
  version: integerOption({ doc: "Its version; else the newest when it fires.", min: 1, max: 2_147_483_647 }),
  cron: textOption({
    doc: "When: minute, hour, day of the month, month, day of the week; a second may stand before them. Or @hourly, @daily, @weekly, @monthly, @yearly.",
    placeholder: "CRON",
  }),
  zone: textOption({ doc: "Whose clocks count; UTC by default.", placeholder: "ZONE" }),
  input: textOption({
    doc: "Input of each run: a JSON object, or @FILE. Texts may say ${schedule.time} and ${schedule.name}.",
    placeholder: "JSON",
  }),
  starts: textOption({ ...moment, doc: "No time before it counts." }),
  ends: textOption({ ...moment, doc: "No time after it counts." }),
  jitter: durationOption({ doc: "Start each run up to so much later, so that not all start at once." }),
  "catch-up": textOption({
    doc: "Which of the times that an outage or a pause took are fired after it; the latest by default.",
    placeholder: catchUpPolicies.join("|"),
    pattern: new RegExp(`^(${catchUpPolicies.join("|")})$`),
    expects: `one of ${catchUpPolicies.join(", ")}`,
  }),
  "catch-up-limit": integerOption({ doc: "Of all of them, the newest so many; 100 by default.", min: 1, max: 1000 }),
  overlap: textOption({
    doc: "Whether a time is fired while the run of the time before goes on; allowed by default.",
    placeholder: overlapPolicies.join("|"),
    pattern: new RegExp(`^(${overlapPolicies.join("|")})$`),
    expects: `one of ${overlapPolicies.join(", ")}`,
  }),
  label: pairsOption({ doc: "A label of each run.", short: "l" }),
} as const;

/** Makes a schedule from the flags; everything that is wrong with it is told before the server is asked. */
export async function scheduleFromFlags(
  name: string,
  values: OptionValues<typeof scheduleOptions>,
): Promise<ScheduleSpec> {
  const { workflow = "", cron = "", zone = "UTC", starts, ends, jitter: jitterMs = 0 } = values;
  const faults: { field: string; message: string }[] = [];
  if (workflow === "") faults.push({ field: "--workflow", message: "Expected the workflow to start, got none." });
  if (cron === "") faults.push({ field: "--cron", message: "Expected when to start it, got nothing." });
  const startsAt = readMoment("--starts", starts, faults);
  const endsAt = readMoment("--ends", ends, faults);
  const input = values.input === undefined ? {} : await readInput(values.input);
  const timing = { cron: cron || "@daily", timeZone: zone, startsAt, endsAt, jitterMs };
  for (const { field, message } of scheduleFaults({ timing, input }))
    faults.push({ field: flags[field] ?? field, message: `${message.charAt(0).toUpperCase()}${message.slice(1)}.` });
  if (faults.length > 0) throw usageError("schedule put", faults);
  return create(ScheduleSpecSchema, {
    name,
    workflow,
    workflowVersion: values.version ?? 0,
    input,
    cron,
    timeZone: zone,
    startsAt: startsAt && timestampFromDate(startsAt),
    endsAt: endsAt && timestampFromDate(endsAt),
    ...(jitterMs > 0 && { jitter: durationFromMs(jitterMs) }),
    catchUp: numberOf(CatchUp, values["catch-up"]),
    catchUpLimit: values["catch-up-limit"] ?? 0,
    overlap: numberOf(Overlap, values.overlap),
    labels: values.label,
  });
}

const flags: Record<string, string> = { cron: "--cron", time_zone: "--zone", ends_at: "--ends" };

function numberOf<N extends number>(words: Record<string, N>, word: string | undefined): N | 0 {
  return (word === undefined ? undefined : words[word.toUpperCase()]) ?? 0;
}

function readMoment(field: string, text: string | undefined, faults: { field: string; message: string }[]) {
  if (text === undefined) return undefined;
  const at = new Date(text);
  if (!Number.isNaN(at.getTime())) return at;
  faults.push({ field, message: `Expected ${moment.expects}, got "${text}".` });
  return undefined;
}

async function readInput(text: string): Promise<JsonObject> {
  const path = text.startsWith("@") ? text.slice(1) : undefined;
  const json =
    path === undefined
      ? text
      : await readFile(path, "utf8").catch((error: unknown) =>
          Promise.reject(unreadable(path, error, "drover schedule put --help")),
        );
  const refusal = (got: string) =>
    new DroverError("invalid", `Expected a JSON object for --input, got ${got}.`, {
      hint: `drover schedule put NAME --input '{"day": "\${schedule.time}"}', or --input @file.json`,
    });
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw refusal(`text that is none: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refusal("another kind of value");
  return value as JsonObject;
}
