import { decodeBase64Url, encodeBase64Url } from "./base64.ts";
import { DroverError } from "./error.ts";
import type { Json } from "./json.ts";

/** Where a page ends, as texts: keys and times as decimal strings. */
export type PagePosition = Record<string, string>;

const version = "1";

/** An opaque token for the page after `position`, good only for a listing with the same filter. */
export function encodePageToken(position: PagePosition, filter: Json): string {
  return encodeBase64Url(JSON.stringify([version, checksum(position, filter), position]));
}

/** The position inside a token; throws reason `invalid` where it was made by something else, for another filter, or by hand. */
export function decodePageToken(token: string, filter: Json): PagePosition {
  const position = readPosition(token, filter);
  if (position === undefined) {
    throw new DroverError(
      "invalid",
      `Expected a page token that this listing returned, with the same filter; got ${quote(token)}.`,
      {
        hint: "Ask for the first page again, without a page token.",
        fields: [
          {
            field: "page_token",
            message: "expected the next_page_token of the page before, asked for with the same filter",
          },
        ],
      },
    );
  }
  return position;
}

function readPosition(token: string, filter: Json): PagePosition | undefined {
  const text = token.length <= 4096 ? decodeBase64Url(token) : undefined;
  const parts = text === undefined ? undefined : parseJson(text);
  if (!Array.isArray(parts) || parts.length !== 3 || parts[0] !== version || !isPosition(parts[2])) {
    return undefined;
  }
  return parts[1] === checksum(parts[2], filter) ? parts[2] : undefined;
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function isPosition(value: Json | undefined): value is PagePosition {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((part) => typeof part === "string")
  );
}

/** FNV-1a over 64 bits: it tells a mistake, not an attack, and a position gives no right to anything. */
function checksum(position: PagePosition, filter: Json): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(canonical([position, filter]))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(36);
}

/** JSON with the keys in order, so that equal filters have equal texts. */
function canonical(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${pairs.map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

function quote(token: string): string {
  return JSON.stringify(token.length > 40 ? `${token.slice(0, 40)}…` : token);
}
