export const limitMetrics = ["requests", "tokens", "concurrent"] as const;
export type LimitMetric = (typeof limitMetrics)[number];

/** Seconds of the windows that limits have. */
export const limitWindows = { minute: 60, hour: 3600, day: 86_400 } as const;
export type LimitWindow = keyof typeof limitWindows;

/** How a window is divided: a use counts until its slot lies wholly outside, so that no window ever holds more. */
export const slotsPerWindow = 60;

/** What ended calls used, by slot: a ring of the slots of a window and the one under way. */
export interface SlotRing {
  newestSlot: number;
  slots: readonly number[];
  windowSeconds: number;
}

/** The number of the slot that a time lies in; the twin of `drover.slot_at`. */
export function slotAt(windowSeconds: number, atMs: number): number {
  return Math.floor((atMs * slotsPerWindow) / (windowSeconds * 1000));
}

/** What was used within the window that ends now; the twin of `drover.slots_used`. */
export function slotsUsed(ring: SlotRing, nowMs: number): number {
  return inForce(ring, nowMs).reduce((total, { used }) => total + used, 0);
}

/** When so much will have left the window by time alone; undefined where it never does. The twin of `drover.slots_freed_at`. */
export function slotsFreedAt(ring: SlotRing, amount: number, nowMs: number): number | undefined {
  let freed = 0;
  for (const { slot, used } of inForce(ring, nowMs)) {
    freed += used;
    if (freed >= amount) return ((slot + slotsPerWindow + 1) * ring.windowSeconds * 1000) / slotsPerWindow;
  }
  return undefined;
}

/** The slots that overlap the window, oldest first. */
function inForce({ newestSlot, slots, windowSeconds }: SlotRing, nowMs: number): { slot: number; used: number }[] {
  const current = Math.max(newestSlot, slotAt(windowSeconds, nowMs));
  return Array.from({ length: slots.length }, (_, n) => current - slotsPerWindow + n).map((slot) => ({
    slot,
    used: slot <= newestSlot ? (slots[slot % slots.length] ?? 0) : 0,
  }));
}
