import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";

const defaultRuns = 100;
const maxRuns = 500;

/** The body of a start; nothing at all is one as well. */
export function readStart(text: string): { input: Json; idempotencyKey: string } {
  const body = text.trim() === "" ? {} : parse(text);
  if (!isObject(body)) throw fault(`expected an object, got ${JSON.stringify(body).slice(0, 60)}`);
  const { input, idempotency_key: key } = body;
  if (!isNothing(input) && !isObject(input)) throw fault("input: expected an object");
  if (!isNothing(key) && typeof key !== "string") throw fault("idempotency_key: expected a text");
  return { input: input ?? {}, idempotencyKey: key ?? "" };
}

/** How many runs to list. */
export function readLimit(text: string | undefined): number {
  const limit = wholeNumber("limit", text);
  return limit === undefined || limit === 0 ? defaultRuns : Math.min(maxRuns, limit);
}

/** Which version of a workflow is meant; nothing: the newest. */
export function readVersion(text: string | undefined): number | undefined {
  const number = wholeNumber("version", text);
  return number === undefined ? undefined : Math.min(2 ** 31 - 1, number);
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new DroverError("invalid", `${name}: expected a whole number, got "${text.slice(0, 60)}".`);
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error));
  }
}

function fault(message: string): DroverError {
  return new DroverError("invalid", `invalid run payload: ${message}`);
}

function isNothing(value: Json | undefined): value is null | undefined {
  return value === undefined || value === null;
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
