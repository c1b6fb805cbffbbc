import {
  APICallError,
  EmptyResponseBodyError,
  InvalidArgumentError,
  InvalidPromptError,
  InvalidResponseDataError,
  JSONParseError,
  TypeValidationError,
  UnsupportedFunctionalityError,
} from "@ai-sdk/provider";
import type { errorClasses } from "@drover/domain/error-class";
import type { LlmRateLimit } from "@drover/domain/workflow/llm-call";
import { AnswerTooLarge } from "./provider-fetch.ts";
import { rateLimitOf, retryAfterOf } from "./rate-limit.ts";

/** Why a call failed, as the attempt is told. Its message may still hold what the provider repeated. */
export interface CallFault {
  errorClass: keyof typeof errorClasses;
  message: string;
  retryAfterMs?: number;
  status?: number;
  rateLimit?: LlmRateLimit;
}

/** Who failed: the provider's name, and the setting of its key. */
export interface Accused {
  name: string;
  keySetting: string;
}

/** Decides what a failure of a provider means. */
export function faultOf(error: unknown, provider: Accused, nowMs: number): CallFault {
  const told = toldBy(error);
  if (told.status !== undefined && (told.status < 200 || told.status >= 300))
    return faultOfStatus(told, provider, nowMs);
  const name = `The provider ${provider.name}`;
  if (findCause(error, (one) => one instanceof AnswerTooLarge))
    return { errorClass: "provider_malformed", message: `${name} sent more than an answer can be; it was cut off.` };
  if (JSONParseError.isInstance(error) || TypeValidationError.isInstance(error))
    return { errorClass: "provider_malformed", message: `${name} sent a piece of an answer that cannot be read.` };
  if (InvalidResponseDataError.isInstance(error) && !/without a finish reason/.test(error.message))
    return {
      errorClass: "provider_malformed",
      message: `${name} sent an answer that cannot be read: ${error.message}`,
    };
  if (InvalidResponseDataError.isInstance(error) || EmptyResponseBodyError.isInstance(error))
    return { errorClass: "provider_unavailable", message: `${name} broke off its answer before its end.` };
  if (isRefusedHere(error))
    return { errorClass: "provider_refused", message: `${name} cannot be asked this: ${textOf(error)}` };
  if (told.isProviders) return faultOfKind(told, provider, nowMs);
  if (APICallError.isInstance(error) || findCause(error, isNetworkError)) {
    const isMidway = told.status !== undefined;
    const how = isMidway ? "broke off its answer before its end" : "could not be reached";
    return { errorClass: "provider_unavailable", message: `${name} ${how}: ${rootOf(error)}` };
  }
  return { errorClass: "error", message: `The call to ${provider.name} failed: ${textOf(error)}` };
}

interface Told {
  status?: number;
  /** The provider's own words for it. */
  kind: string;
  text: string;
  body: string;
  headers: Record<string, string>;
  /** Whether the provider said it in the midst of an answer. */
  isProviders: boolean;
}

function toldBy(error: unknown): Told {
  if (APICallError.isInstance(error)) {
    const body = error.responseBody ?? "";
    return {
      ...(error.statusCode !== undefined && { status: error.statusCode }),
      kind: kindsOf(error.data ?? {}).join(" "),
      text: error.message,
      body,
      headers: error.responseHeaders ?? {},
      isProviders: false,
    };
  }
  const fields = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const status = Number(fields["statusCode"] ?? fields["status"] ?? fields["code"]);
  return {
    ...(Number.isInteger(status) && status >= 400 && status < 600 && { status }),
    kind: kindsOf(fields).join(" "),
    text: typeof fields["message"] === "string" ? fields["message"] : "",
    body: "",
    headers: {},
    isProviders: typeof fields["message"] === "string" && !(error instanceof Error),
  };
}

function faultOfStatus(told: Told, provider: Accused, nowMs: number): CallFault {
  const { status = 0, headers, body } = told;
  const rateLimit = rateLimitOf(headers, nowMs);
  const facts = { status, ...(rateLimit && { rateLimit }) };
  const answered = `The provider ${provider.name} answered ${status}${told.text === "" ? "" : `: ${told.text}`}`;
  const retryAfterMs = retryAfterOf(headers, body, nowMs);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (/content_filter|content_policy|responsible_?ai/i.test(told.kind))
    return { errorClass: "content_filtered", message: `The provider ${provider.name} refused the content.`, ...facts };
  if (status === 401 || status === 403) {
    // Its own words are left out: they like to repeat the key.
    const message = `The provider ${provider.name} did not accept this node (${status}); look at ${provider.keySetting} on the agent, and at what its account may do.`;
    return { errorClass: "provider_denied", message, ...facts };
  }
  if (status === 402 || /insufficient_quota|billing/i.test(told.kind)) {
    const message = `The account behind ${provider.keySetting} has nothing left to spend at ${provider.name} (${status}).`;
    return { errorClass: "provider_denied", message, ...facts };
  }
  if (status === 429) return { errorClass: "rate_limited", message: answered, ...facts, ...wait };
  if (status >= 300 && status < 400) {
    const message = `The provider ${provider.name} answered ${status}, a redirect, which is not followed with a key; set its base URL to where it leads.`;
    return { errorClass: "provider_refused", message, ...facts };
  }
  if (status === 408 || status === 425 || status >= 500)
    return { errorClass: "provider_unavailable", message: answered, ...facts, ...wait };
  return { errorClass: "provider_refused", message: answered, ...facts };
}

/** A failure in the midst of an answer, which has words but no status. */
function faultOfKind(told: Told, provider: Accused, nowMs: number): CallFault {
  const status = /rate_?limit|resource_exhausted|too_many/i.test(told.kind)
    ? 429
    : /authentication|permission|invalid_api_key/i.test(told.kind)
      ? 401
      : /invalid_request|not_found/i.test(told.kind)
        ? 400
        : 500;
  const { status: _, ...fault } = faultOfStatus({ ...told, status }, provider, nowMs);
  return { ...fault, message: fault.message.replace(` answered ${status}`, " broke off its answer") };
}

function kindsOf(fields: object): string[] {
  const { type, code, status, error } = fields as Record<string, unknown>;
  const own = [type, code, status].filter((kind) => typeof kind === "string");
  return typeof error === "object" && error !== null ? [...own, ...kindsOf(error)] : own;
}

function isRefusedHere(error: unknown): boolean {
  return (
    UnsupportedFunctionalityError.isInstance(error) ||
    InvalidPromptError.isInstance(error) ||
    InvalidArgumentError.isInstance(error)
  );
}

function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return (
    error.message === "terminated" || error.message === "fetch failed" || /^(?:E[A-Z]{4,}|UND_ERR_)/.test(String(code))
  );
}

function findCause(error: unknown, test: (one: unknown) => boolean): boolean {
  for (let one = error, depth = 0; one instanceof Error && depth < 8; one = one.cause, depth += 1)
    if (test(one)) return true;
  return false;
}

/** The last cause says most: `connect ECONNREFUSED 127.0.0.1:1`. */
function rootOf(error: unknown): string {
  let root = error;
  for (let depth = 0; root instanceof Error && root.cause instanceof Error && depth < 8; depth += 1) root = root.cause;
  return textOf(root);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
