/** `1 GPU`, `3 GPUs`, `no GPUs`. */
export function countOf(count: number, noun: string): string {
  return `${count === 0 ? "no" : count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `1 is asked for`, `4 are asked for`. */
export function askedFor(count: number): string {
  return `${count} ${count === 1 ? "is" : "are"} asked for`;
}

/** Millicores as CPUs: `0.5`. */
export function cpuText(millicores: number): string {
  return String(millicores / 1000);
}

/** Sizes in one unit, the largest in which those that differ look different: `7.5 GiB`. */
export function byteTexts(...bytes: number[]): string[] {
  const isDistinct = (texts: string[]) => new Set(texts).size === new Set(bytes).size;
  const isZero = (text: string, index: number) => text.startsWith("0 ") && bytes[index] !== 0;
  for (const [unit, size] of units) {
    const texts = bytes.map((value) => `${Math.round((value / size) * 10) / 10} ${unit}`);
    if (isDistinct(texts) && !texts.some(isZero)) return texts;
  }
  return bytes.map((value) => countOf(value, "byte"));
}

/** `80 GiB`. */
export function mibText(mib: number): string {
  return byteTexts(mib * 2 ** 20).join("");
}

/** `a, b and c`; long lists are cut off. */
export function listOf(names: readonly string[]): string {
  const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  return shown.length < 2 ? (shown[0] ?? "none") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

const units = [
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
] as const;
