import { EventEmitter } from "node:events";

import { describe, expect, it } from "vitest";

import { stopSignal } from "./stop-signal.ts";
import { createManualClock } from "./testing.ts";

function setup() {
  const clock = createManualClock();
  const killed: [number, string][] = [];
  const emitter = new EventEmitter();
  const process = Object.assign(emitter, { pid: 7, kill: (pid: number, signal: string) => killed.push([pid, signal]) });
  const hear = (signal: string) => void emitter.emit(signal, signal);
  return { clock, killed, emitter, hear, signal: stopSignal({ process, clock }) };
}

describe("stopSignal", () => {
  it("aborts with the name of the first signal", () => {
    const { hear, signal } = setup();
    expect(signal.aborted).toBe(false);
    hear("SIGTERM");
    hear("SIGINT");
    expect(signal.reason).toBe("SIGTERM");
  });

  it("takes a repeat within two seconds for an echo of the same Ctrl-C", async () => {
    const { clock, killed, hear } = setup();
    hear("SIGINT");
    await clock.advance(1_999);
    hear("SIGINT");
    hear("SIGTERM");
    expect(killed).toEqual([]);
  });

  it("lets a later repeat end the process the default way", async () => {
    const { clock, killed, emitter, hear } = setup();
    hear("SIGINT");
    await clock.advance(2_000);
    hear("SIGINT");
    expect(killed).toEqual([[7, "SIGINT"]]);
    expect(emitter.eventNames()).toEqual([]);
  });
});
