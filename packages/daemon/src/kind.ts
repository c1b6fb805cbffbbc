import { type Address, parseAddress } from "./address.ts";

/** A kind of setting: how its text is read. */
export interface Kind<T> {
  /** Completes "expected …". */
  readonly expects: string;
  /** How a file may write it besides as text; both become the text of the environment. */
  readonly shape: "text" | "list" | "map";
  /** Undefined when the text is not what is expected. */
  parse(text: string): T | undefined;
}

export interface Range {
  min?: number;
  max?: number;
}

/** Any text that is not empty, or one that matches. */
export function text({ pattern, expects = "a text" }: { pattern?: RegExp; expects?: string } = {}): Kind<string> {
  return { expects, shape: "text", parse: (raw) => (pattern && !pattern.test(raw) ? undefined : raw) };
}

/** A whole number within the range. */
export function integer({ min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: Range = {}): Kind<number> {
  return {
    expects: `a whole number${rangeText({ min, max })}`,
    shape: "text",
    parse: (raw) => (/^[+-]?\d+$/.test(raw) ? inRange(Number(raw), { min, max }) : undefined),
  };
}

/** true or false, in the usual spellings. */
export function flag(): Kind<boolean> {
  return {
    expects: "true or false",
    shape: "text",
    parse: (raw) => flagWords.get(raw.toLowerCase()),
  };
}

const flagWords = new Map([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["no", false],
  ["off", false],
  ["0", false],
]);

/** A duration, as a number of seconds: 90, 90s, 1.5m, 250ms, 2h, 7d. */
export function seconds({ min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: Range = {}): Kind<number> {
  return {
    expects: `a duration such as 30, 30s, 5m or 250ms${rangeText({ min, max }, " seconds")}`,
    shape: "text",
    parse(raw) {
      const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(raw);
      if (!match) return undefined;
      return inRange((Number(match[1]) * (unitMs[match[2] ?? "s"] ?? NaN)) / 1_000, { min, max });
    },
  };
}

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** One of a fixed set of words. */
export function oneOf<const W extends string>(words: readonly W[]): Kind<W> {
  return { expects: `one of ${words.join(", ")}`, shape: "text", parse: (raw) => words.find((word) => word === raw) };
}

/** One or more addresses, separated by commas. */
export function addresses(): Kind<readonly Address[]> {
  return {
    expects: "host:port, or several separated by commas",
    shape: "list",
    parse: (raw) => parseItems(raw, parseAddress),
  };
}

/** Texts separated by commas. */
export function list({
  pattern,
  expects = "a list separated by commas",
}: { pattern?: RegExp; expects?: string } = {}): Kind<readonly string[]> {
  return {
    expects,
    shape: "list",
    parse: (raw) => parseItems(raw, (item) => (item === "" || (pattern && !pattern.test(item)) ? undefined : item)),
  };
}

/** Whole numbers by name: cpu_short=4,gpu=1. */
export function counts({ min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {}): Kind<ReadonlyMap<string, number>> {
  const count = integer({ min, max });
  return {
    expects: `pairs such as cpu_short=4,gpu=1, each with ${count.expects}`,
    shape: "map",
    parse(raw) {
      const pairs = parseItems(raw, (item) => {
        const match = /^([a-z][a-z0-9_-]*)\s*=\s*(\S+)$/i.exec(item);
        const value = match?.[2] === undefined ? undefined : count.parse(match[2]);
        return match?.[1] === undefined || value === undefined ? undefined : ([match[1], value] as const);
      });
      const map = new Map(pairs);
      return map.size === pairs?.length ? map : undefined;
    },
  };
}

/** A URL with one of the schemes; Postgres's lists of hosts are allowed. */
export function url({ schemes }: { schemes: readonly string[] }): Kind<string> {
  return {
    expects: `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`,
    shape: "text",
    parse(raw) {
      const match = /^([a-z][a-z0-9+.-]*):\/\/(?:([^?#]*)@)?([^/?#]*)(.*)$/is.exec(raw);
      const [, scheme = "", login, hosts = "", rest = ""] = match ?? [];
      if (!schemes.includes(scheme.toLowerCase()) || /\s/.test(raw)) return undefined;
      const user = login === undefined ? "" : "user@";
      return hosts.split(",").every((host) => URL.canParse(`${scheme}://${host === "" ? "" : user}${host}${rest}`))
        ? raw
        : undefined;
    },
  };
}

function parseItems<T>(raw: string, parse: (item: string) => T | undefined): T[] | undefined {
  const items = raw.split(",").map((item) => parse(item.trim()));
  const good = items.filter((item) => item !== undefined);
  return good.length === items.length ? good : undefined;
}

function inRange(value: number, { min, max }: Required<Range>): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

function rangeText({ min, max }: Required<Range>, unit = ""): string {
  const hasMin = min > Number.MIN_SAFE_INTEGER;
  const hasMax = max < Number.MAX_SAFE_INTEGER;
  if (hasMin && hasMax) return ` from ${min} to ${max}${unit}`;
  if (hasMin) return ` of at least ${min}${unit}`;
  return hasMax ? ` of at most ${max}${unit}` : "";
}
