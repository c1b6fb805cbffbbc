import { setTimeout as delay } from "node:timers/promises";
import type { Owner } from "../docker/owner.ts";
import { findMarked, isGroupAlive, type OwnerMarker, signal } from "./process-table.ts";

export interface RunMarker extends OwnerMarker {
  run: string;
}

/** How an owner's processes are found now. */
export function markerOf({ holder, installation }: Owner): OwnerMarker {
  return { holder, installation: installation?.() };
}

const pollMs = 20;

/** Sends a signal to everything of a run: its group, and by the marker what left the group. */
export function signalRun(marker: RunMarker, group: number | undefined, name: "SIGTERM" | "SIGKILL"): number {
  if (group !== undefined) signal(-group, name);
  const marked = findMarked(marker);
  for (const { pid } of marked) signal(pid, name);
  return marked.length;
}

/** Kills what is left of a run until nothing of it can be found; false where that took longer than the bound. */
export async function killRun(marker: RunMarker, group: number | undefined, boundMs: number): Promise<boolean> {
  const until = performance.now() + boundMs;
  while (isRunAlive(marker, group)) {
    // Again in each round: a process may have forked between the look and the signal.
    signalRun(marker, group, "SIGKILL");
    if (performance.now() >= until) return false;
    await delay(pollMs);
  }
  return true;
}

/** Whether anything of a run lives. */
export function isRunAlive(marker: RunMarker, group: number | undefined): boolean {
  return (group !== undefined && isGroupAlive(group)) || findMarked(marker).length > 0;
}
