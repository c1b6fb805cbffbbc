import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface StartupMemoryOptions {
  /** Long enough after the start for the first round of everything to have run. */
  afterMs?: number;
}

/**
 * Gives back the memory that starting took, once: modules and schemas are compiled, and V8 keeps the room it needed for
 * that (measured: 118 MB before, 97 MB after for the API; 77 and 71 MB for the agent).
 */
export function releaseStartupMemory({ afterMs = 3000 }: StartupMemoryOptions = {}): void {
  setTimeout(() => {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    if (typeof collect === "function") collect({ type: "major", flavor: "last-resort", execution: "async" });
  }, afterMs).unref();
}
