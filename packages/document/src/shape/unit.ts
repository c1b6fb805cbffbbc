import { refuse, type Shape } from "./shape.ts";

const unitSeconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };
const daySeconds = 86_400;
const yearSeconds = 366 * daySeconds;
const maxDollars = 9_000_000;

/** A span of time in seconds: 90, "250ms", "1.5m", "1h30m". */
export function duration({
  above = 0,
  min,
  upTo = "a year",
}: { above?: number; min?: number; upTo?: "a day" | "a year" } = {}): Shape<number> {
  const maxSeconds = upTo === "a day" ? daySeconds : yearSeconds;
  const low = min === undefined ? `above ${above}` : `from ${min}`;
  const expected = `a duration ${low} s, such as 90s, 10m, 1h30m or a number of seconds`;
  return {
    schema: {
      anyOf: [
        { type: "number", ...(min === undefined ? { exclusiveMinimum: above } : { minimum: min }) },
        { type: "string", pattern: String.raw`^[\d.]+(ms|s|m|h|d)[\d.dhms]*$` },
      ],
    },
    read(value, report) {
      const seconds = typeof value.json === "string" ? parseDuration(value.json) : value.json;
      const isRight =
        typeof seconds === "number" && (min === undefined ? seconds > above : seconds >= min) && seconds <= maxSeconds;
      return isRight ? seconds : refuse(value, report, `${expected}, up to ${upTo}`);
    },
  };
}

/** An amount of money in billionths of a US dollar: 1.5, "$1.50", "0.0001 USD". */
export function money(): Shape<number> {
  return {
    schema: {
      anyOf: [
        { type: "number", exclusiveMinimum: 0 },
        { type: "string", pattern: String.raw`^\$?\d+(\.\d{1,9})?( ?USD)?$` },
      ],
    },
    read(value, report) {
      const { json } = value;
      const text = typeof json === "number" ? plainNumber(json) : json;
      const nanos = typeof text === "string" ? parseMoney(text) : undefined;
      if (nanos !== undefined && nanos > 0 && nanos <= maxDollars * 1e9) return nanos;
      const expected = `US dollars above 0 and up to ${maxDollars} with at most 9 decimals, such as 1.5 or "$0.25"`;
      return refuse(value, report, expected);
    },
  };
}

/** A number of bytes: 1048576, "512M", "1.5GiB"; the units are powers of 1024. */
export function size(): Shape<number> {
  return {
    schema: {
      anyOf: [
        { type: "integer", minimum: 1 },
        { type: "string", pattern: String.raw`^\d+(\.\d+)?\s*[KMGTkmgt]?([iI]?[bB])?$` },
      ],
    },
    read(value, report) {
      const bytes = typeof value.json === "string" ? parseSize(value.json) : value.json;
      const isRight = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes > 0;
      return isRight ? bytes : refuse(value, report, "a number of bytes, such as 512M or 2G");
    },
  };
}

/** Seconds of a text such as 1h30m; undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text.trim())) return undefined;
  let milliseconds = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    milliseconds += Number(amount) * (unitSeconds[unit] ?? 1) * 1000;
  }
  return Math.round(milliseconds) / 1000;
}

function parseMoney(text: string): number | undefined {
  const [, whole, decimals = ""] = /^\s*\$?\s*(\d{1,9})(?:\.(\d{1,9}))?(?:\s*USD)?\s*$/.exec(text) ?? [];
  return whole === undefined ? undefined : Number(whole) * 1e9 + Number(decimals.padEnd(9, "0"));
}

/** Small numbers print with an exponent, which no amount of money has. */
function plainNumber(amount: number): string {
  return /e-/.test(String(amount)) ? amount.toFixed(9) : String(amount);
}

function parseSize(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  return amount === undefined
    ? undefined
    : Math.round(Number(amount) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " "));
}
