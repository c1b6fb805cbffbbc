import { DroverError } from "@drover/domain/error";

/**
 * Tells the faults of the connection and the server's own moods (worth another try) from mistakes in a statement.
 * Transient faults become DroverError `unavailable`, characters that no text may hold `invalid`; the others pass as
 * they are, for the log.
 */
export function asDatabaseFault(error: unknown): unknown {
  if (error instanceof DroverError) return error;
  if (isUnstorable(error)) {
    return new DroverError("invalid", "Expected text that PostgreSQL can store, got one with a character it refuses.", {
      hint: "Take out NUL characters and halves of surrogate pairs.",
      cause: error,
    });
  }
  return isTransient(error)
    ? new DroverError("unavailable", "The database does not answer right now.", {
        hint: "The call is safe to repeat; try again in a moment.",
        retryAfterMs: 1000,
        cause: error,
      })
    : error;
}

/** Whether the same statement may succeed a moment later: lost connection, restart, failover, deadlock, time-out. */
export function isTransient(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && (transientCodes.has(code) || transientClasses.has(code.slice(0, 2)));
}

/** 22021: bytes that are no text; 22P05: escapes in jsonb that are no character; 22P02 says so in its detail only. */
function isUnstorable(error: unknown): boolean {
  const code = errorCode(error);
  if (code === "22021" || code === "22P05") return true;
  return code === "22P02" && error instanceof Error && "detail" in error && String(error.detail).startsWith("Unicode");
}

/** Whether the connection is gone, or is about to be: nothing more can be said on it. */
export function isConnectionLoss(error: unknown): boolean {
  const code = errorCode(error) ?? "";
  return code.startsWith("CONNECTION_") || code.startsWith("08") || /^57P0[1-5]$/.test(code) || lostSockets.has(code);
}

/** The SQLSTATE or the driver's own code of an error, also of one that was wrapped. */
export function errorCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}

const lostSockets = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT"]);
// 08 connection, 40 rollback (deadlock, serialization), 53 resources, 57 operator intervention (restart, terminate).
const transientClasses = new Set(["08", "40", "53", "57"]);
const transientCodes = new Set([
  "25006", // read-only: the primary moved
  "55P03", // lock not available
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOENT",
  "EAI_AGAIN",
  "ENOTFOUND",
  "EHOSTUNREACH",
]);
