import { Code, ConnectError } from "@connectrpc/connect";
import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";

export interface DeadlineOptions {
  /** Aborted when the server begins to stop: streams end, unary calls go on. */
  draining: AbortSignal;
  /** How long a stream may take to end by itself once the server drains, to send a last message. */
  drainGraceMs?: number;
}

/**
 * Ends a call when its deadline passes or its client leaves, and a stream also when the server drains, even where the
 * handler does not listen to its signal. A stream whose signal was aborted never ends as OK: its client could not tell
 * a complete answer from a cut one.
 */
export function createDeadlineInterceptor({ draining, drainGraceMs = 250 }: DeadlineOptions): Interceptor {
  return (next) => (req) => {
    if (req.stream) return endStream(next, req, draining, drainGraceMs);
    return hasTimeout(req.header) ? Promise.race([next(req), rejectOnAbort(req)]) : next(req);
  };
}

function hasTimeout(header: Headers): boolean {
  return header.has("grpc-timeout") || header.has("connect-timeout-ms");
}

function rejectOnAbort(req: UnaryRequest): Promise<never> {
  return new Promise((_, reject) => {
    if (req.signal.aborted) reject(abortError(req.signal));
    req.signal.addEventListener("abort", () => reject(abortError(req.signal)), { once: true });
  });
}

async function endStream(
  next: Parameters<Interceptor>[0],
  req: StreamRequest,
  draining: AbortSignal,
  drainGraceMs: number,
): ReturnType<Parameters<Interceptor>[0]> {
  const ending = linkSignals(req.signal, draining);
  try {
    const res = await next({ ...req, signal: ending.signal });
    if (!res.stream) return res;
    return { ...res, message: untilAborted(res.message, ending, draining, drainGraceMs) };
  } catch (error) {
    ending.unlink();
    throw error;
  }
}

interface LinkedSignal {
  signal: AbortSignal;
  unlink: () => void;
}

// Not AbortSignal.any: `draining` outlives every call, and listeners on it must go when the call does.
function linkSignals(call: AbortSignal, draining: AbortSignal): LinkedSignal {
  const controller = new AbortController();
  const onCall = (): void => controller.abort(abortError(call));
  const onDrain = (): void => controller.abort(drainError());
  const unlink = (): void => {
    call.removeEventListener("abort", onCall);
    draining.removeEventListener("abort", onDrain);
  };
  call.addEventListener("abort", onCall, { once: true });
  draining.addEventListener("abort", onDrain, { once: true });
  if (call.aborted) onCall();
  else if (draining.aborted) onDrain();
  return { signal: controller.signal, unlink };
}

async function* untilAborted<T>(
  messages: AsyncIterable<T>,
  ending: LinkedSignal,
  draining: AbortSignal,
  drainGraceMs: number,
): AsyncIterable<T> {
  const { signal } = ending;
  const iterator = messages[Symbol.asyncIterator]();
  // One slot, not Promise.race with a promise per stream: that would gather a reaction per message for as long as the
  // stream lives.
  let rejectWaiting: ((reason: unknown) => void) | undefined;
  let isOver = false;
  let grace: NodeJS.Timeout | undefined;
  const end = (): void => {
    isOver = true;
    rejectWaiting?.(signal.reason);
  };
  const onAbort = (): void => {
    if (draining.aborted) grace = setTimeout(end, drainGraceMs);
    else end();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    for (;;) {
      if (isOver) throw signal.reason;
      const result = await new Promise<IteratorResult<T>>((resolve, reject) => {
        rejectWaiting = reject;
        iterator.next().then(resolve, reject);
      });
      rejectWaiting = undefined;
      if (result.done === true) break;
      yield result.value;
    }
    if (signal.aborted) throw signal.reason;
  } finally {
    clearTimeout(grace);
    signal.removeEventListener("abort", onAbort);
    ending.unlink();
    // Not awaited: a handler that ignores its signal would hold the answer back.
    void iterator.return?.().catch(() => undefined);
  }
}

function abortError(signal: AbortSignal): unknown {
  const reason: unknown = signal.reason;
  if (reason instanceof ConnectError && reason.code === Code.DeadlineExceeded) {
    return new DroverError("deadline", "The deadline of the call passed before its answer was ready.");
  }
  // Connect reports some resets of HTTP/2 as internal errors; whatever the code, the client is gone.
  return new ConnectError("The client left.", Code.Canceled, {}, [], reason);
}

function drainError(): DroverError {
  const hint = "Call again: another server, or this one once it is back, goes on.";
  return new DroverError("unavailable", "The server is stopping and ended this stream.", { hint });
}
