import { DroverError, type ErrorReason } from "@drover/domain/error";

/**
 * The text of a refusal, which is an answer here and no error of the protocol; what may pass another time is thrown on.
 */
export function refusalOf(error: unknown): string {
  if (!(error instanceof DroverError) || !refusals.includes(error.reason)) throw error;
  return [error.message, error.facts.hint].filter(Boolean).join(" ");
}

const refusals: readonly ErrorReason[] = ["invalid", "conflict", "not_found"];
