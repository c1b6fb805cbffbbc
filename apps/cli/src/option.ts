import { parseDuration } from "./duration.ts";
import { parseSize } from "./size.ts";

/** One flag of a command: how it is written, what it means, how its text is read. */
export interface Option<T = unknown> {
  readonly doc: string;
  /** Names the value in the help; a flag without one takes no value. */
  readonly placeholder?: string;
  readonly short?: string;
  /** Completes "expected …". */
  readonly expects: string;
  readonly isRepeatable?: boolean;
  /** The values that the shell offers. */
  readonly words?: readonly string[];
  readonly isFile?: boolean;
  /** Reads every text that was given, in order. */
  read(texts: readonly string[]): Reading<T>;
}

export type Reading<T> = { value: T } | { wrong: string };

export type Options = Readonly<Record<string, Option>>;

export type OptionValues<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

interface Face {
  doc: string;
  placeholder?: string;
  short?: string;
  isFile?: boolean;
}

/** On or off; takes no value. */
export function flagOption({ doc, short }: { doc: string; short?: string }): Option<boolean> {
  return { doc, ...(short && { short }), expects: "no value", read: (texts) => ({ value: texts.length > 0 }) };
}

/** Any text, or one that matches. */
export function textOption({
  pattern = /[^]/,
  expects = "a text",
  ...face
}: Face & { pattern?: RegExp; expects?: string }): Option<string | undefined> {
  return single(face, "TEXT", expects, (text) => (pattern.test(text) ? text : undefined));
}

/** A whole number in a range. */
export function integerOption({ min, max, ...face }: Face & { min: number; max: number }): Option<number | undefined> {
  return single(face, "N", `a whole number from ${min} to ${max}`, (text) => {
    const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

/** A number in a range. */
export function numberOption({ min, max, ...face }: Face & { min: number; max: number }): Option<number | undefined> {
  return single(face, "N", `a number from ${min} to ${max}`, (text) => {
    const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

/** A span of time, in milliseconds. */
export function durationOption(face: Face): Option<number | undefined> {
  return single(face, "DURATION", "a duration such as 250ms, 30s, 5m or 2h", parseDuration);
}

/** A number of bytes. */
export function sizeOption(face: Face): Option<number | undefined> {
  return single(face, "SIZE", "a size such as 512m or 2g", parseSize);
}

/** A moment: a date with time, or a duration that is subtracted from now. */
export function momentOption(face: Face): Option<Date | undefined> {
  return single(face, "TIME", "a time such as 10m (ago) or 2026-01-31T12:00:00Z", (text) => {
    const agoMs = parseDuration(text);
    const time = agoMs === undefined ? Date.parse(text) : Date.now() - agoMs;
    return Number.isNaN(time) ? undefined : new Date(time);
  });
}

/** Words from a fixed set, repeated or separated by commas. */
export function wordsOption<const W extends string>({ words, ...face }: Face & { words: readonly W[] }): Option<W[]> {
  const isWord = (text: string): text is W => words.some((word) => word === text);
  return {
    ...shown(face, words.join("|")),
    expects: `one of ${words.join(", ")}`,
    isRepeatable: true,
    words,
    read(texts) {
      const given = texts.flatMap((text) => text.split(",").map((part) => part.trim()));
      const wrong = given.find((text) => !isWord(text));
      return wrong === undefined ? { value: given.filter(isWord) } : { wrong };
    },
  };
}

/** Pairs such as team=ml, repeated. */
export function pairsOption(face: Face): Option<Record<string, string>> {
  return {
    ...shown(face, "KEY=VALUE"),
    expects: "KEY=VALUE",
    isRepeatable: true,
    read(texts) {
      const wrong = texts.find((text) => text.indexOf("=") < 1);
      if (wrong !== undefined) return { wrong };
      return {
        value: Object.fromEntries(
          texts.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
        ),
      };
    },
  };
}

/** Any texts, repeated, each read by `parse`. */
export function listOption<T>({
  expects,
  parse,
  ...face
}: Face & { expects: string; parse: (text: string) => T | undefined }): Option<T[]> {
  return {
    ...shown(face, "TEXT"),
    expects,
    isRepeatable: true,
    read(texts) {
      const value: T[] = [];
      for (const text of texts) {
        const item = parse(text);
        if (item === undefined) return { wrong: text };
        value.push(item);
      }
      return { value };
    },
  };
}

function single<T>(
  face: Face,
  placeholder: string,
  expects: string,
  parse: (text: string) => T | undefined,
): Option<T | undefined> {
  return {
    ...shown(face, placeholder),
    expects,
    read([text]) {
      if (text === undefined) return { value: undefined };
      const value = parse(text);
      return value === undefined ? { wrong: text } : { value };
    },
  };
}

function shown({ doc, placeholder, short, isFile }: Face, fallback: string) {
  return { doc, placeholder: placeholder ?? fallback, ...(short && { short }), ...(isFile && { isFile }) };
}
