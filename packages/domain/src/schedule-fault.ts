import { cronFault } from "./cron-fault.ts";
import type { Json } from "./json.ts";
import type { ScheduleTiming } from "./schedule.ts";
import { findSimilar } from "./similar.ts";
import { isTimeZone } from "./time-zone.ts";
import type { Scope } from "./workflow/expression/reference.ts";
import { render } from "./workflow/expression/template-render.ts";
import { parseTemplate } from "./workflow/expression/template.ts";

export interface ScheduleFault {
  field: string;
  message: string;
}

/** What a schedule's input may refer to, as `${schedule.time}`. */
export interface ScheduleFacts {
  name: string;
  /** The time that is fired, without jitter. */
  time: Date;
}

/** Everything that is wrong with a schedule, at once. */
export function scheduleFaults({ timing, input }: { timing: ScheduleTiming; input: Json }): ScheduleFault[] {
  const { cron, timeZone, startsAt, endsAt } = timing;
  const faults: ScheduleFault[] = [];
  const wrongCron = cronFault(cron);
  if (wrongCron !== undefined) faults.push({ field: "cron", message: wrongCron });
  if (!isTimeZone(timeZone)) faults.push({ field: "time_zone", message: zoneFault(timeZone) });
  if (startsAt && endsAt && startsAt > endsAt) {
    const message = `expected a time after starts_at (${startsAt.toISOString()}), got ${endsAt.toISOString()}`;
    faults.push({ field: "ends_at", message });
  }
  const { references, faults: wrongTexts } = parseTemplate(input);
  const wrongText = wrongTexts[0];
  if (wrongText !== undefined) faults.push({ field: `input${pathText(wrongText.at)}`, message: wrongText.message });
  else if (references.length > 0) {
    const outcome = render(input, scopeOf({ name: "", time: new Date(0) }));
    if ("fault" in outcome) faults.push({ field: "input", message: outcome.fault });
    if ("missing" in outcome) faults.push({ field: "input", message: noSteps });
  }
  return faults;
}

/** The input of the run at one time. */
export function scheduledInput(input: Json, facts: ScheduleFacts): { value: Json } | { fault: string } {
  const outcome = render(input, scopeOf(facts));
  return "missing" in outcome ? { fault: noSteps } : outcome;
}

const noSteps = "expected references to schedule.time and schedule.name only, got one to a step";

function scopeOf({ name, time }: ScheduleFacts): Scope {
  return {
    root: (root) => (root === "schedule" ? { name, time: time.toISOString() } : undefined),
    step: () => ({ fault: noSteps }),
    names: ["schedule"],
  };
}

function zoneFault(timeZone: string): string {
  const similar = findSimilar(timeZone, Intl.supportedValuesOf("timeZone"));
  const hint = similar === undefined ? "" : `; did you mean ${JSON.stringify(similar)}?`;
  return `expected the name of a time zone such as UTC or Europe/Berlin, got ${JSON.stringify(timeZone)}${hint}`;
}

function pathText(at: readonly (string | number)[]): string {
  return at.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
}
