import { DroverError } from "./error.ts";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const form = /^t[0-9a-hjkmnp-tv-z]{13}$/;
const maxKey = 2n ** 63n - 1n;
const epochMs = Date.UTC(2020, 0, 1);
const sequenceBits = 22n;
const digitBits = 5;
// The key is cut in two, since numbers are ten times as fast as bigints: 7 digits above these 6.
const lowDigits = 6;
const lowBits = BigInt(lowDigits * digitBits);

/**
 * The id that clients see where they chose none: "t" and the key in 13 lower-case Crockford base32 digits.
 * It sorts like the key, that is by time.
 * @example formatTaskKey(910_000_000_000_000_000n) // "t0s87r5pwsp000"
 */
export function formatTaskKey(key: bigint): string {
  if (key < 0n || key > maxKey) {
    throw new DroverError("internal", `Expected a task key from 0 to ${maxKey}, got ${key}.`);
  }
  const high = Number(key >> lowBits);
  const low = Number(BigInt.asUintN(Number(lowBits), key));
  return `t${digits(high, 13 - lowDigits)}${digits(low, lowDigits)}`;
}

/** The key inside an id made by `formatTaskKey`; undefined for any other text. */
export function parseTaskKey(text: string): bigint | undefined {
  if (!form.test(text)) {
    return undefined;
  }
  const key = (BigInt(digitsValue(text.slice(1, -lowDigits))) << lowBits) | BigInt(digitsValue(text.slice(-lowDigits)));
  return key > maxKey ? undefined : key;
}

/** When a task was submitted, read from its key. */
export function taskKeyTime(key: bigint): Date {
  return new Date(epochMs + Number(key >> sequenceBits));
}

/** The least key that a task submitted at this time can have. */
export function firstTaskKeyAt(time: Date): bigint {
  const ms = time.getTime() - epochMs;
  return ms <= 0 ? 0n : BigInt(ms) << sequenceBits;
}

/** Whether an id has the form that the server makes its own ids in, so that no client may choose it. */
export function isReservedId(text: string): boolean {
  return form.test(text);
}

function digits(size: number, count: number): string {
  let text = "";
  for (let rest = size; text.length < count; rest = Math.floor(rest / 32)) {
    text = alphabet.charAt(rest % 32) + text;
  }
  return text;
}

function digitsValue(text: string): number {
  let sum = 0;
  for (const digit of text) {
    sum = sum * 32 + alphabet.indexOf(digit);
  }
  return sum;
}
