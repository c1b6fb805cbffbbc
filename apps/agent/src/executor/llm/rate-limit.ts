import type { LlmRateLimit } from "@drover/domain/workflow/llm-call";

/** Header names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>;

// A provider that asks for more is taken by its word only so far.
const longestMs = 24 * 3600 * 1000;

/** What the headers of an answer tell about the provider's own limits; undefined: nothing. */
export function rateLimitOf(headers: ResponseHeaders, nowMs: number): LlmRateLimit | undefined {
  const now = clockOf(headers, nowMs);
  const requests = windowOf(headers, requestNames, now);
  const tokens = tokenKinds
    .map((names) => windowOf(headers, names, now))
    .reduce((scarce, other) => (shareOf(other) < shareOf(scarce) ? other : scarce));
  const scarcer = shareOf(tokens) < shareOf(requests) ? tokens : requests;
  const resetMs = scarcer.resetMs ?? requests.resetMs ?? tokens.resetMs;
  const limit: LlmRateLimit = {
    ...(requests.remaining !== undefined && { remainingRequests: requests.remaining }),
    ...(tokens.remaining !== undefined && { remainingTokens: tokens.remaining }),
    ...(resetMs !== undefined && { resetMs }),
  };
  return Object.keys(limit).length === 0 ? undefined : limit;
}

/** How long a provider asks to wait before the next call: by Retry-After, by its body, or until a limit is reset. */
export function retryAfterOf(headers: ResponseHeaders, body: string, nowMs: number): number | undefined {
  const now = clockOf(headers, nowMs);
  const exactMs = numberOf(headers["retry-after-ms"]);
  if (exactMs !== undefined) return bounded(exactMs);
  const header = headers["retry-after"]?.trim() ?? "";
  const seconds = numberOf(header);
  if (seconds !== undefined) return bounded(seconds * 1000);
  const at = dateOf(header);
  if (at !== undefined) return bounded(at - now);
  const [, delay] = /"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"/.exec(body) ?? [];
  if (delay !== undefined) return bounded(Number(delay) * 1000);
  return rateLimitOf(headers, nowMs)?.resetMs;
}

interface Names {
  remaining: string[];
  limit: string[];
  reset: string[];
}

const requestNames: Names = {
  remaining: ["x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining", "x-ratelimit-remaining"],
  limit: ["x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit", "x-ratelimit-limit"],
  reset: ["x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset", "x-ratelimit-reset"],
};
const tokenKinds: Names[] = [
  {
    remaining: ["x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining"],
    limit: ["x-ratelimit-limit-tokens", "anthropic-ratelimit-tokens-limit"],
    reset: ["x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"],
  },
  ...["input", "output"].map((kind) => ({
    remaining: [`anthropic-ratelimit-${kind}-tokens-remaining`],
    limit: [`anthropic-ratelimit-${kind}-tokens-limit`],
    reset: [`anthropic-ratelimit-${kind}-tokens-reset`],
  })),
];

interface Window {
  remaining?: number;
  limit?: number;
  resetMs?: number;
}

function windowOf(headers: ResponseHeaders, names: Names, nowMs: number): Window {
  const first = (some: string[]) => some.map((name) => headers[name]).find((value) => value !== undefined);
  const remaining = numberOf(first(names.remaining));
  const limit = numberOf(first(names.limit));
  const resetMs = untilOf(first(names.reset), nowMs);
  return {
    ...(remaining !== undefined && { remaining: Math.floor(remaining) }),
    ...(limit !== undefined && { limit }),
    ...(resetMs !== undefined && { resetMs }),
  };
}

/** How much of a window is left; one of which nothing is known is never the scarcer. */
function shareOf({ remaining, limit }: Window): number {
  if (remaining === undefined) return Number.POSITIVE_INFINITY;
  return limit === undefined || limit <= 0 ? (remaining === 0 ? 0 : 1) : remaining / limit;
}

/** A time to come, in any of the ways that providers write it: 6m0s, 20ms, 1.5, Unix seconds or milliseconds, RFC 3339. */
function untilOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const plain = numberOf(text);
  if (plain !== undefined) {
    if (plain > 1e11) return bounded(plain - nowMs);
    return bounded(plain > 1e8 ? plain * 1000 - nowMs : plain * 1000);
  }
  if (/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms]))+$/.test(text)) {
    const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g);
    return bounded(parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (unitMs[unit] ?? 0), 0));
  }
  const at = dateOf(text);
  return at === undefined ? undefined : bounded(at - nowMs);
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

// The provider's dates are read by the provider's clock, where it tells it.
function clockOf(headers: ResponseHeaders, nowMs: number): number {
  return dateOf(headers["date"] ?? "") ?? nowMs;
}

// Only what looks like a date: Date.parse reads one even from "-5".
function dateOf(text: string): number | undefined {
  const at = /^(?:[A-Z][a-z]{2,8}, |\d{4}-\d\d-\d\dT)/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function numberOf(text: string | undefined): number | undefined {
  const clean = text?.trim() ?? "";
  return /^\d{1,15}(?:\.\d{1,9})?$/.test(clean) ? Number(clean) : undefined;
}

function bounded(ms: number): number {
  return Math.ceil(Math.min(Math.max(0, ms), longestMs));
}
