// Works in Node, at the edge and in the browser: btoa and atob are in all of them, Buffer is not.
const chunkBytes = 8192;

/** Bytes as standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    binary += String.fromCharCode(...bytes.subarray(start, start + chunkBytes));
  }
  return btoa(binary);
}

/** A text as base64url of its UTF-8 bytes, without padding. */
export function encodeBase64Url(text: string): string {
  return encodeBase64(new TextEncoder().encode(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The text inside a base64url text; undefined where it is none, or no UTF-8. */
export function decodeBase64Url(encoded: string): string | undefined {
  if (!/^[\w-]*$/.test(encoded)) {
    return undefined;
  }
  try {
    const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    // atob overlooks loose bits in the last digit; one text shall have one encoding.
    return encodeBase64Url(text) === encoded ? text : undefined;
  } catch {
    return undefined;
  }
}
