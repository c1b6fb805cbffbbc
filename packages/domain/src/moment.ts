const rfc3339 = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/i;

/**
 * Unix milliseconds of a date (midnight in UTC) or of a date and time with its zone, as in RFC 3339; NaN for all else.
 * A time without a zone would mean another moment on every host.
 */
export function parseMoment(text: string): number {
  return rfc3339.test(text.trim()) ? Date.parse(text.trim().replace(" ", "T")) : NaN;
}
