import type { LogSink, LogStream } from "../executor.ts";
import { blankRanges, type Redactor, storable } from "./redact.ts";

/** An answer on its way into a task's log, cleaned as it comes. */
export interface TokenLog {
  /** A text that is there as a whole. */
  note(stream: LogStream, text: string): void;
  write(delta: string): void;
  end(): void;
}

// A match that is longer than this may be shown in part, where somebody gave patterns.
const patternReach = 1024;
// Longer than any key.
const longestWord = 4096;

/**
 * Writes an answer to the log as it comes, but holds back its end for as long as that may be the beginning of
 * something to blank: the last two words (a key is one, a bearer token two), or with patterns the last 1024 characters.
 */
export function createTokenLog({
  sink,
  redactor,
  now = () => new Date(),
}: {
  sink: LogSink;
  redactor: Redactor;
  now?: () => Date;
}): TokenLog {
  let pending = "";
  let isWithheld = false;

  const find = (text: string) => {
    const ranges = isWithheld ? undefined : redactor.find(text);
    if (ranges === undefined && !isWithheld) {
      isWithheld = true;
      sink.write("system", "A pattern to redact took too long to search; the rest of this log is withheld.\n", now());
    }
    return ranges;
  };
  const release = (limit: number) => {
    const ranges = find(pending);
    if (ranges === undefined) {
      pending = "";
      return;
    }
    const straddling = ranges.find(([from, to]) => from < limit && to > limit);
    // Not between the halves of a character.
    const end = straddling?.[0] ?? (/[\uDC00-\uDFFF]/.test(pending.charAt(limit)) ? limit - 1 : limit);
    if (end === 0) return;
    const clean = blankRanges(
      pending.slice(0, end),
      ranges.filter(([, to]) => to <= end),
    );
    sink.write("token", storable(clean), now());
    pending = pending.slice(end);
  };

  return {
    note(stream, text) {
      const ranges = find(text);
      if (ranges !== undefined) sink.write(stream, `${storable(blankRanges(text, ranges))}\n`, now());
    },
    write(delta) {
      pending += delta;
      const limit = redactor.hasPatterns ? pending.length - patternReach : twoWordsBack(pending);
      // With patterns each search costs: not for every few characters.
      if (limit > (redactor.hasPatterns ? 256 : 0)) release(limit);
    },
    end() {
      release(pending.length);
      pending = "";
    },
  };
}

/** Where the last two words of a text begin. */
function twoWordsBack(text: string): number {
  const lowest = Math.max(0, text.length - longestWord);
  let at = text.length;
  for (let words = 0; words < 2; words += 1) {
    while (at > lowest && /\s/.test(text.charAt(at - 1))) at -= 1;
    while (at > lowest && !/\s/.test(text.charAt(at - 1))) at -= 1;
  }
  return at;
}
