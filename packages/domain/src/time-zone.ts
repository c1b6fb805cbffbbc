/** How long a clock may show times twice when it is set back; no zone has gone further in living memory. */
export const longestRepeatMs = 3 * 3_600_000;

/** Whether the name is one that the IANA time zone database knows. */
export function isTimeZone(name: string): boolean {
  try {
    return zoneFormat(name) !== undefined;
  } catch {
    return false; // Intl has no other way to say so
  }
}

/** What a clock in the zone shows at a moment, written as if it were UTC. */
export function wallTime(zone: string, atMs: number): number {
  return atMs + zoneOffset(zone, atMs);
}

/** Milliseconds that the zone's clocks are ahead of UTC at a moment. */
export function zoneOffset(zone: string, atMs: number): number {
  const fields: Record<string, number> = {};
  for (const { type, value } of zoneFormat(zone).formatToParts(atMs)) fields[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000;
}

/**
 * The moments at which clocks in the zone show a time: usually one; two where clocks are set back; and where they are
 * set forward over it, the one at which the gap ends.
 */
export function momentsOf(zone: string, wallMs: number): [number] | [number, number] {
  const [before, after] = [wallMs - westernmostMs, wallMs + easternmostMs];
  const offsets = [zoneOffset(zone, before), zoneOffset(zone, after)];
  const found = [...new Set(offsets)]
    .map((offset) => wallMs - offset)
    .filter((moment) => wallTime(zone, moment) === wallMs);
  const [first, second] = found.toSorted((a, b) => a - b);
  if (first === undefined) return [changeBetween(zone, before, after)];
  return second === undefined ? [first] : [first, second];
}

/** The first moment, to the second, at which the offset is no longer that of `fromMs`; it must have changed by `toMs`. */
export function changeBetween(zone: string, fromMs: number, toMs: number): number {
  const offset = zoneOffset(zone, fromMs);
  let [unchanged, changed] = [Math.floor(fromMs / 1000), Math.ceil(toMs / 1000)];
  while (changed - unchanged > 1) {
    const middle = Math.floor((unchanged + changed) / 2);
    if (zoneOffset(zone, middle * 1000) === offset) unchanged = middle;
    else changed = middle;
  }
  return changed * 1000;
}

// No zone is further from UTC than this: whatever clocks show, it is shown between these two.
const westernmostMs = 15 * 3_600_000;
const easternmostMs = 13 * 3_600_000;

// Formats are dear to make and there are only some hundred zones, each known by a few names.
const formats = new Map<string, Intl.DateTimeFormat>();

function zoneFormat(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(zone, format);
  return format;
}
