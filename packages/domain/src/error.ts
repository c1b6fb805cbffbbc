/** Why an operation was refused. Each reason maps to one Connect code (apps/api/src/rpc/errors.ts). */
export type ErrorReason =
  | "invalid" // the input breaks a rule; the message names field, expectation and value
  | "not_found"
  | "conflict" // the key is taken by another body, or the state does not allow it
  | "overloaded" // a ceiling is reached; try again after retryAfterMs
  | "unavailable" // the database cannot be reached right now
  | "unimplemented"
  | "forbidden"
  | "deadline"
  | "internal";

export interface ErrorFacts {
  /** What to do next, as a sentence. */
  hint?: string;
  cause?: unknown;
  retryAfterMs?: number;
  /** Faults by field path, for reason `invalid`. */
  fields?: { field: string; message: string }[];
}

/** The one error class of the project: a reason to act on and a sentence to read. */
export class DroverError extends Error {
  override readonly name = "DroverError";
  readonly reason: ErrorReason;
  readonly facts: ErrorFacts;

  constructor(reason: ErrorReason, message: string, facts: ErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.reason = reason;
    this.facts = facts;
  }
}
