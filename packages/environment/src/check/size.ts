/** Whether JSON takes at most so many bytes, as far as its texts go; aliases make much of a small text. */
export function isWithin(json: unknown, maxBytes: number): boolean {
  let left = maxBytes;
  const open: unknown[] = [json];
  for (let value = open.pop(); value !== undefined && left >= 0; value = open.pop()) {
    left -= typeof value === "string" ? value.length + 2 : 4;
    if (Array.isArray(value)) for (const item of value) open.push(item);
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        left -= key.length + 4;
        if (item !== undefined) open.push(item);
      }
    }
  }
  return left >= 0;
}
