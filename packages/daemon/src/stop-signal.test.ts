import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";

import { describe, expect, it, vi } from "vitest";

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

describe("a process of services", () => {
  const script = `
    import { createLog } from ${JSON.stringify(import.meta.resolve("./log.ts"))};
    import { createLoop } from ${JSON.stringify(import.meta.resolve("./loop.ts"))};
    import { runServices } from ${JSON.stringify(import.meta.resolve("./service.ts"))};
    import { stopSignal } from ${JSON.stringify(import.meta.resolve("./stop-signal.ts"))};
    const log = createLog({ app: "test", to: "stdout" });
    const loop = createLoop({ name: "tick", intervalMs: 10, run: async () => {}, log });
    const signal = stopSignal({ process });
    const { clean } = await runServices([loop], { signal, stopSeconds: 5, log, onStarted: () => log.info("started") });
    log.info({ clean, reason: signal.reason }, "stopped");
  `;

  it("stops by itself on SIGTERM, with nothing left that keeps it alive", async () => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    const closed = once(child, "close");
    try {
      await vi.waitFor(() => expect(output).toContain('"started"}\n'), 10_000);
      child.kill("SIGTERM");
      expect(await closed).toEqual([0, null]);
      expect(JSON.parse(output.trim().split("\n").at(-1) ?? "")).toMatchObject({
        app: "test",
        clean: true,
        reason: "SIGTERM",
        message: "stopped",
      });
    } finally {
      child.kill("SIGKILL");
    }
  }, 20_000);
});
