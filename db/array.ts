import { parse } from "postgres-array";

/**
 * The driver asks each new connection for the server's array types, and nobody listens for that question's failure: a
 * connection lost just then ends the process. So it is told not to ask (`fetch_types: false`), and arrays are read and
 * written here.
 */
export const arrayTypes = {
  texts: readable([1009, 1015, 1016, 1231, 2951], parse),
  numbers: readable([1005, 1007, 1021, 1022], (text) => parse(text, Number)),
  booleans: readable([1000], (text) => parse(text, (one) => one === "t")),
  moments: readable([1182, 1115, 1185], (text) => parse(text, (one) => new Date(one))),
  documents: readable([199, 3807], (text) => parse(text, (one): unknown => JSON.parse(one))),
  bytes: readable([1001], (text) => parse(text, (one) => Buffer.from(one.slice(2), "hex"))),
};

/** As the server reads arrays: `{"a","b",null}`. Numbers, booleans, bytes, moments and nested arrays too. */
export function toArrayLiteral(values: readonly unknown[]): string {
  const written = values.map((value) => {
    if (value === undefined) throw new TypeError("Expected a value or null in a list for the database, got undefined.");
    if (value === null) return "null";
    if (Array.isArray(value)) return toArrayLiteral(value);
    return `"${toText(value).replace(/["\\]/g, String.raw`\$&`)}"`;
  });
  return `{${written.join(",")}}`;
}

function toText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return String.raw`\x${Buffer.from(value).toString("hex")}`;
  return String(value);
}

function readable(from: number[], parseText: (text: string) => unknown) {
  return { to: from[0] ?? 0, from, serialize: (literal: string) => literal, parse: parseText };
}
