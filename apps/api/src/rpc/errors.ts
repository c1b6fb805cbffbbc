import { Code, ConnectError } from "@connectrpc/connect";
import type { Interceptor } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import type { ErrorReason } from "@drover/domain/error";
import { badRequest, errorInfo, retryInfo } from "./detail.ts";
import type { ErrorDetail } from "./detail.ts";
import { databaseFault } from "./database-fault.ts";
import { requestIdKey } from "./observe.ts";

export interface FailedCall {
  requestId: string;
  signal: AbortSignal;
}

/**
 * The code that a client sees for each reason.
 * A conflict is FailedPrecondition, not AlreadyExists: one reason covers a key taken by another body and a state that
 * does not allow the change, and for both the advice of this code holds: do not repeat the call unchanged.
 */
export const codeByReason = {
  invalid: Code.InvalidArgument,
  not_found: Code.NotFound,
  conflict: Code.FailedPrecondition,
  overloaded: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  unimplemented: Code.Unimplemented,
  forbidden: Code.PermissionDenied,
  deadline: Code.DeadlineExceeded,
  internal: Code.Internal,
} as const satisfies Record<ErrorReason, Code>;

/** Turns whatever a call throws into what its client may see; the original stays in `cause`, for the log. */
export function createErrorInterceptor(): Interceptor {
  return (next) => async (req) => {
    const call = { requestId: req.contextValues.get(requestIdKey), signal: req.signal };
    try {
      const res = await next(req);
      return res.stream ? { ...res, message: translateThrown(res.message, call) } : res;
    } catch (error) {
      throw toConnectError(error, call);
    }
  };
}

/** The error that a client sees. What we did not write ourselves is answered by a neutral sentence and the request id. */
export function toConnectError(error: unknown, call: FailedCall): ConnectError {
  if (error instanceof DroverError) return fromDroverError(error, call);
  if (error instanceof ConnectError && !isWrapped(error)) return error;
  // Work that its signal stopped fails in as many ways as there are libraries: the reason of the signal is the truth.
  if (call.signal.aborted) return fromAbort(call, error);
  const fault = databaseFault(error);
  return fault === undefined ? internal(error, call) : fromDroverError(fault, call);
}

async function* translateThrown<T>(messages: AsyncIterable<T>, call: FailedCall): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error, call);
  }
}

function fromDroverError(error: DroverError, call: FailedCall): ConnectError {
  const { hint, retryAfterMs, fields } = error.facts;
  if (error.reason === "internal") return internal(error, call);
  const details: ErrorDetail[] = [errorInfo(error.reason)];
  if (fields !== undefined && fields.length > 0) details.push(badRequest(fields));
  if (retryAfterMs !== undefined) details.push(retryInfo(retryAfterMs));
  // Messages of compatible interfaces are no sentences; what follows begins one.
  const message = hint === undefined ? error.message : `${error.message.replace(/[^.!?:]$/, "$&.")} ${hint}`;
  const metadata = retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return new ConnectError(message, codeByReason[error.reason], metadata, details, error);
}

// Errors of Connect's own are written for clients; one that merely carries a foreign error repeats its text.
function isWrapped(error: ConnectError): boolean {
  return error.cause !== undefined && (error.code === Code.Unknown || error.code === Code.Internal);
}

function fromAbort(call: FailedCall, error: unknown): ConnectError {
  const reason: unknown = call.signal.reason;
  if (reason instanceof DroverError) return fromDroverError(reason, call);
  if (reason instanceof ConnectError) return new ConnectError(reason.rawMessage, reason.code, {}, [], error);
  return new ConnectError("The call was cancelled by its client.", Code.Canceled, {}, [], error);
}

function internal(error: unknown, call: FailedCall): ConnectError {
  const message = `The server failed on this call. Its log has the cause under request id ${call.requestId}.`;
  return new ConnectError(message, Code.Internal, {}, [errorInfo("internal")], error);
}
