import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { formatDuration } from "./duration.ts";

/** From a start to an end, or to now where there is no end yet; empty without a start. */
export function took(from: Timestamp | undefined, to: Timestamp | undefined, nowMs: number): string {
  return from === undefined
    ? ""
    : formatDuration(Math.max(0, (to === undefined ? nowMs : timestampMs(to)) - timestampMs(from)));
}

/** A time as `2026-01-31 12:00:00Z (3m ago)`. */
export function moment(time: Timestamp | undefined, nowMs: number): string | undefined {
  if (time === undefined) return undefined;
  const ms = timestampMs(time);
  const span =
    Math.abs(nowMs - ms) < 1000
      ? "just now"
      : nowMs >= ms
        ? `${formatDuration(nowMs - ms)} ago`
        : `in ${formatDuration(ms - nowMs)}`;
  return `${new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z/, "Z")} (${span})`;
}

/** A value in one line; undefined where it takes several. */
export function valueText(value: Value | undefined): string | undefined {
  const text = value && JSON.stringify(toJson(ValueSchema, value));
  return text === undefined || text.length > 100 ? undefined : text;
}

/** `a=1, b=2`; undefined where there are none. */
export function pairs(record: Record<string, string>): string | undefined {
  const texts = Object.entries(record).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? undefined : texts.join(", ");
}

/** An error in one line. */
export function errorText({ class: errorClass, message }: { class: string; message: string }): string {
  if (message.toLowerCase().startsWith(errorClass.toLowerCase())) return message;
  return [errorClass, message].filter(Boolean).join(": ");
}
