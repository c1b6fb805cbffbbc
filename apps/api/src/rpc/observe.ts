import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import type { Interceptor } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";

export interface ObservedCall {
  requestId: string;
  /** Full name of the service, as in the contract. */
  service: string;
  method: string;
  /** `ok`, or the code as Connect spells it: invalid_argument, not_found, ... */
  code: string;
  durationMs: number;
  isStream: boolean;
  /** What was thrown, before it was made fit for the client. */
  error?: unknown;
}

export interface ObserveOptions {
  /** Called once when a call has ended: count it, log it. */
  onCall: (call: ObservedCall) => void;
}

/** Names the call in context values, for handlers and logs. */
export const requestIdKey = createContextKey("", { description: "request id" });

/** Gives each call a request id, or keeps the client's x-request-id, and reports how the call ended. */
export function createObserveInterceptor({ onCall }: ObserveOptions): Interceptor {
  return (next) => async (req) => {
    const startedAt = performance.now();
    const given = acceptRequestId(req.header.get("x-request-id"));
    const requestId = given ?? randomUUID();
    req.contextValues.set(requestIdKey, requestId);
    const report = (error?: unknown): void =>
      onCall({
        requestId,
        service: req.service.typeName,
        method: req.method.name,
        code: error === undefined ? "ok" : codeName(error),
        durationMs: performance.now() - startedAt,
        isStream: req.stream,
        ...(error === undefined ? {} : { error: (error instanceof ConnectError ? error.cause : undefined) ?? error }),
      });
    try {
      const res = await next(req);
      // A header costs a call some per cent: only who asked for it, or got an error, needs it.
      if (given !== undefined) res.header.set("x-request-id", given);
      if (res.stream) return { ...res, message: reportEnd(res.message, report) };
      report();
      return res;
    } catch (error) {
      if (error instanceof ConnectError) error.metadata.set("x-request-id", requestId);
      report(error);
      throw error;
    }
  };
}

function acceptRequestId(given: string | null): string | undefined {
  return given !== null && /^[\w.:-]{1,128}$/.test(given) ? given : undefined;
}

/** The code of an error as Connect spells it: invalid_argument, not_found, ... */
export function codeName(error: unknown): string {
  const name = error instanceof ConnectError ? Code[error.code] : "Unknown";
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

async function* reportEnd<T>(messages: AsyncIterable<T>, report: (error?: unknown) => void): AsyncIterable<T> {
  // A client that leaves makes the runtime return from this generator: neither a normal end nor an exception.
  let end: unknown = new ConnectError("The client left.", Code.Canceled);
  try {
    yield* messages;
    end = undefined;
  } catch (error) {
    end = error;
    throw error;
  } finally {
    report(end);
  }
}
