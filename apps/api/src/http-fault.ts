import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Log } from "@drover/daemon/log";
import { DroverError, type ErrorReason } from "@drover/domain/error";

/** What the REST paths answer for a reason. */
export const statuses = {
  invalid: 400,
  not_found: 404,
  conflict: 409,
  overloaded: 429,
  unavailable: 503,
  unimplemented: 501,
  forbidden: 403,
  deadline: 504,
  internal: 500,
} as const satisfies Record<ErrorReason, number>;

/** Answers a fault of a REST handler as plain text: the sentence and the hint, never a stack. */
export function httpFault(error: Error, c: Context, log: Log): Response {
  if (error instanceof HTTPException) return error.getResponse();
  if (!(error instanceof DroverError) || error.reason === "internal") {
    log.error({ error, method: c.req.method, path: c.req.path }, "request failed");
    return c.text("Something went wrong on our side; the log of the server says what.", 500);
  }
  if (error.facts.retryAfterMs !== undefined)
    c.header("retry-after", String(Math.ceil(error.facts.retryAfterMs / 1000)));
  return c.text([error.message, error.facts.hint].filter(Boolean).join(" "), statuses[error.reason]);
}
