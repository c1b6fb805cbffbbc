const form = /^run-([0-9a-f]{16})$/;

/** The id of a run as clients see it: "run-" and the key in 16 hexadecimal digits. It sorts by time. */
export function formatRunId(key: string | bigint): string {
  return `run-${BigInt(key).toString(16).padStart(16, "0")}`;
}

/** The key inside an id of a run, as a decimal text; undefined for any other text. */
export function parseRunId(text: string): string | undefined {
  const digits = form.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const key = BigInt(`0x${digits}`);
  return key < 2n ** 63n ? key.toString() : undefined;
}
