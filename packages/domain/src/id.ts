import { DroverError } from "./error.ts";

/** A UUID of version 7 as text: 48 bits of time in milliseconds, then random bits. It sorts by time. */
export function newId({ random, nowMs }: { random: Uint8Array; nowMs: number }): string {
  if (random.length < 10) {
    throw new DroverError("internal", `Expected at least 10 random bytes, got ${random.length}.`);
  }
  const time = Math.floor(nowMs).toString(16).padStart(12, "0");
  const [a = 0, b = 0, c = 0, ...rest] = random.subarray(0, 10);
  const version = hex([0x70 | (a & 0x0f), b]);
  const variant = hex([0x80 | (c & 0x3f), rest[0] ?? 0]);
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}-${hex(rest.slice(1))}`;
}

function hex(bytes: number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
