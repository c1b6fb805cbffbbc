import { DroverError } from "@drover/domain/error";

const unreachable = "The database cannot be reached right now.";
const busy = "The database took longer than it may.";
const contended = "The call met another one on the same rows.";
const full = "The database has no connection or room left.";

// SQLSTATE, postgres.js and socket codes that say nothing about the request: the same call may pass a moment later.
const faults: readonly (readonly [RegExp, "unavailable" | "overloaded", string])[] = [
  [/^(08...|57P0[1-5]|25006)$/, "unavailable", unreachable],
  [/^(CONNECTION_\w+|CONNECT_TIMEOUT)$/, "unavailable", unreachable],
  [
    /^(ECONN(REFUSED|RESET|ABORTED)|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/,
    "unavailable",
    unreachable,
  ],
  [/^(40001|40P01|55P03)$/, "unavailable", contended],
  [/^(57014|25P03|25P04)$/, "unavailable", busy],
  [/^53...$/, "overloaded", full],
];

/** The passing trouble with the database that an error tells of, anywhere in its chain of causes; else undefined. */
export function databaseFault(error: unknown): DroverError | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    const code = "code" in cause ? String(cause.code) : "";
    const fault = faults.find(([pattern]) => pattern.test(code));
    if (fault === undefined) continue;
    const [, reason, sentence] = fault;
    return new DroverError(reason, sentence, { hint: "Try again.", retryAfterMs: 1000, cause: error });
  }
  return undefined;
}
