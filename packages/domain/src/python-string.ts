import { encodeBase64 } from "./base64.ts";
import { fail, isAt, take, type TextCursor } from "./text-cursor.ts";

const opening = /([rR][bB]?|[bB][rR]?|[uU])?('''|"""|'|")/y;
const plain = { "'": /[^\\'\n]+/y, '"': /[^\\"\n]+/y, "'''": /[^\\']+/y, '"""': /[^\\"]+/y };
const octal = /[0-7]{1,3}/y;
const hexDigits = { x: /[0-9a-fA-F]{2}/y, u: /[0-9a-fA-F]{4}/y, U: /[0-9a-fA-F]{8}/y };
const simple: Record<string, string> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const beyondAscii = /[^\0-\x7f]/;

/** Whether a string literal, with or without a prefix, starts here. */
export function startsPythonString(cursor: TextCursor): boolean {
  return isAt(cursor, opening);
}

/** Reads one string literal; bytes come as their UTF-8 text, or as base64 where they are none. */
export function readPythonString(cursor: TextCursor): { text: string; isBytes: boolean } | undefined {
  const start = take(cursor, opening) ?? "";
  const quote = start.replace(/^\w+/, "") as keyof typeof plain;
  const prefix = start.slice(0, -quote.length).toLowerCase();
  const isBytes = prefix.includes("b");
  const parts: string[] = [];
  for (;;) {
    const from = cursor.position;
    const run = take(cursor, plain[quote]);
    if (run !== undefined) {
      if (isBytes && beyondAscii.test(run)) {
        cursor.position = from + run.search(beyondAscii);
        return fail(cursor, "only ASCII in a bytes literal");
      }
      parts.push(run);
    }
    if (cursor.text.startsWith(quote, cursor.position)) {
      cursor.position += quote.length;
      const text = parts.join("");
      return { text: isBytes ? decodeBytes(text) : text, isBytes };
    }
    const next = cursor.text[cursor.position];
    if (next === undefined || next === "\n") {
      return fail(cursor, `the closing ${quote}`);
    }
    const part = next === "\\" ? readEscape(cursor, prefix.includes("r"), isBytes) : next;
    if (part === undefined) return undefined;
    if (next !== "\\") cursor.position += 1;
    parts.push(part);
  }
}

/** A backslash and what belongs to it. In bytes \u and \U mean nothing, and an unknown escape stays as it is. */
function readEscape(cursor: TextCursor, isRaw: boolean, isBytes: boolean): string | undefined {
  const kind = cursor.text[cursor.position + 1];
  cursor.position += 1;
  if (kind === undefined) return fail(cursor, "a character after the backslash");
  if (isBytes && beyondAscii.test(kind)) return fail(cursor, "only ASCII in a bytes literal");
  if (!isRaw) {
    const digits = take(cursor, octal);
    if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 8) & (isBytes ? 0xff : 0x1ff));
  }
  cursor.position += 1;
  if (isRaw) return `\\${kind}`;
  const replacement = Object.hasOwn(simple, kind) ? simple[kind] : undefined;
  if (replacement !== undefined) return replacement;
  if (kind === "x" || (!isBytes && (kind === "u" || kind === "U"))) return readHex(cursor, kind);
  return !isBytes && kind === "N" ? fail(cursor, "no character by name") : `\\${kind}`;
}

function readHex(cursor: TextCursor, kind: keyof typeof hexDigits): string | undefined {
  const code = Number.parseInt(take(cursor, hexDigits[kind]) ?? "", 16);
  return code <= 0x10ffff
    ? String.fromCodePoint(code)
    : fail(cursor, `hexadecimal digits of a character after \\${kind}`);
}

/** The text of bytes that stand as characters up to 255. */
function decodeBytes(binary: string): string {
  const bytes = Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return encodeBase64(bytes);
  }
}
