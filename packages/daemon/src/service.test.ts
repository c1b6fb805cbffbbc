import { describe, expect, it } from "vitest";

import { createLog } from "./log.ts";
import { runServices, type Service } from "./service.ts";
import { createManualClock, settle } from "./testing.ts";

function setup() {
  const told: string[] = [];
  const lines: { level: string; service?: string }[] = [];
  const clock = createManualClock();
  const stop = new AbortController();
  const log = createLog({ app: "test", level: "warn", to: { write: (line) => void lines.push(JSON.parse(line)) } });
  const service = (name: string, overrides: Partial<Service> = {}): Service => ({
    name,
    start: async () => void told.push(`start ${name}`),
    stop: async () => void told.push(`stop ${name}`),
    ...overrides,
  });
  const run = (services: Service[], onStarted?: () => void) =>
    runServices(services, { signal: stop.signal, stopSeconds: 10, log, clock, ...(onStarted && { onStarted }) });
  return { told, lines, clock, stop, service, run };
}

describe("runServices", () => {
  it("starts in order, says when all have started, and stops in reverse", async () => {
    const { told, stop, service, run } = setup();
    const running = run([service("pool"), service("loop"), service("listener")], () => told.push("all started"));
    await settle();
    expect(told).toEqual(["start pool", "start loop", "start listener", "all started"]);
    stop.abort();
    expect(await running).toEqual({ clean: true });
    expect(told.slice(4)).toEqual(["stop listener", "stop loop", "stop pool"]);
  });

  it("throws the fault of a start after stopping that service and those before it", async () => {
    const { told, service, run } = setup();
    const broken = service("loop", { start: () => Promise.reject(new Error("port taken")) });
    await expect(run([service("pool"), broken, service("listener")])).rejects.toThrow("port taken");
    expect(told).toEqual(["start pool", "stop loop", "stop pool"]);
  });

  it("does not wait for a start that hangs when it is told to stop", async () => {
    const { told, stop, service, run } = setup();
    const running = run([
      service("pool"),
      service("loop", { start: () => new Promise(() => {}) }),
      service("listener"),
    ]);
    await settle();
    stop.abort();
    await running;
    expect(told).toEqual(["start pool", "stop loop", "stop pool"]);
  });

  it("starts nothing when the signal has aborted already", async () => {
    const { told, stop, service, run } = setup();
    stop.abort();
    expect(await run([service("pool")], () => told.push("all started"))).toEqual({ clean: true });
    expect(told).toEqual([]);
  });

  it("tells a slow service when its time is up, so that it can let go by force", async () => {
    const { told, clock, stop, service, run } = setup();
    const slow = service("listener", {
      stop: (deadline) =>
        new Promise((resolve) => deadline.addEventListener("abort", () => resolve(void told.push("forced")))),
    });
    const running = run([slow]);
    await settle();
    stop.abort();
    await clock.advance(9_999);
    expect(told).toEqual(["start listener"]);
    await clock.advance(1);
    expect(await running).toEqual({ clean: true });
    expect(told).toEqual(["start listener", "forced"]);
  });

  it("leaves a service half a second to let go by force before it counts as lost", async () => {
    const { clock, stop, service, run } = setup();
    const running = run([
      service("listener", {
        stop: (deadline) =>
          new Promise((resolve) => deadline.addEventListener("abort", () => void clock.after(499, resolve))),
      }),
    ]);
    await settle();
    stop.abort();
    await clock.advance(10_499);
    expect(await running).toEqual({ clean: true });
  });

  it("leaves a service behind that never stops, logs it, and still gives the others a second", async () => {
    const { told, lines, clock, stop, service, run } = setup();
    let waitedMs = 0;
    const pool = service("pool", {
      stop: (deadline) => {
        const since = clock.now();
        return new Promise((resolve) =>
          deadline.addEventListener("abort", () => resolve(void (waitedMs = clock.now() - since))),
        );
      },
    });
    const running = run([service("log"), pool, service("listener", { stop: () => new Promise(() => {}) })]);
    await settle();
    stop.abort();
    await clock.advance(12_000);
    expect(await running).toEqual({ clean: false });
    expect(waitedMs).toBe(1_000);
    expect(told).toEqual(["start log", "start pool", "start listener", "stop log"]);
    expect(lines).toMatchObject([{ level: "error", service: "listener" }]);
    expect(clock.waits()).toEqual([]);
  });

  it("goes on stopping the others when one stop fails", async () => {
    const { told, lines, stop, service, run } = setup();
    const broken = service("loop", {
      stop: () => {
        throw new Error("boom");
      },
    });
    const running = run([service("pool"), broken]);
    await settle();
    stop.abort();
    expect(await running).toEqual({ clean: false });
    expect(told).toContain("stop pool");
    expect(lines).toMatchObject([{ level: "error", service: "loop", error: { message: "boom" } }]);
  });
});
