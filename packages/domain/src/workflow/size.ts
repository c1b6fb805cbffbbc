import type { Json } from "../json.ts";

/** What an output of a unit, the input of a nested run and the fields of a run may hold at most, as JSON. */
export const maxValueBytes = 1024 * 1024;

const maxLevels = 500;

/** Whether a value is larger or deeper than what is stored; counts no further than that, whatever is nested in it. */
export function isLargerThan(value: Json, maxBytes: number): boolean {
  let bytes = 0;
  const open: { value: Json; level: number }[] = [{ value, level: 0 }];
  for (let next = open.pop(); next !== undefined && bytes <= maxBytes; next = open.pop()) {
    const { value: part, level } = next;
    if (typeof part === "string") bytes += textBytes(part, maxBytes);
    else if (part === null || typeof part !== "object") bytes += String(part).length;
    else {
      if (level === maxLevels) return true;
      const keys = Array.isArray(part) ? [] : Object.keys(part);
      const children = Array.isArray(part) ? part : Object.values(part);
      // A comma and a character for each: what cannot fit is not even looked at.
      bytes += 2 + children.length;
      if (bytes + children.length > maxBytes) return true;
      for (const key of keys) bytes += textBytes(key, maxBytes) + 1;
      for (const child of children) open.push({ value: child, level: level + 1 });
    }
  }
  return bytes > maxBytes;
}

/** UTF-8 bytes of a text, without an encoder: this package imports nothing. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    // Each half of a surrogate pair stands for two of its four bytes.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3;
  }
  return bytes;
}

function textBytes(text: string, maxBytes: number): number {
  return 2 + (text.length > maxBytes ? text.length : byteLength(text));
}
