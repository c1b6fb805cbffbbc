/** Reads 512m, 2g, 1.5GiB or a number of bytes; the units are powers of 1024. Undefined for any other text. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * 1024 ** " kmgt".indexOf((match[2] ?? "").toLowerCase() || " "));
}

/** Writes a number of bytes for people. */
export function formatSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const number = bytes / 1024 ** power;
  const digits = power > 0 && number < 9.95 && !Number.isInteger(number) ? 1 : 0;
  return `${number.toFixed(digits)} ${["B", "KiB", "MiB", "GiB", "TiB"][power] ?? "B"}`;
}
