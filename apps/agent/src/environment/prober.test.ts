import { describe, expect, it, onTestFinished } from "vitest";
import { createManualClock } from "@drover/daemon/testing";
import type { Inspection } from "../docker/service-engine.ts";
import { createProber } from "./prober.ts";
import { checkBy } from "./testing.ts";

function setup() {
  const clock = createManualClock();
  const probedAt: number[] = [];
  const timeouts: number[] = [];
  const changes: string[] = [];
  let isHealthy = false;
  const prober = createProber({
    async probe(_, __, timeoutMs) {
      probedAt.push(clock.now());
      timeouts.push(timeoutMs);
      return { isHealthy, message: isHealthy ? "" : "refused" };
    },
    onChange: (run) => void changes.push(run),
    clock,
    random: () => 0.5,
  });
  onTestFinished(() => prober.stop());
  const check = checkBy({ kind: "tcp", port: 80 }, { intervalSeconds: 10 });
  const watch = (...runs: string[]) =>
    prober.watch(
      new Map(runs.map((run) => [run, { containerId: run, inspection: {} as Inspection, check, service: "web" }])),
    );
  return {
    clock,
    probedAt,
    timeouts,
    changes,
    prober,
    watch,
    becomes: (healthy: boolean) => void (isHealthy = healthy),
  };
}

describe("probes", () => {
  it("come at once and often until the first success, then once an interval", async () => {
    const { clock, probedAt, watch, becomes } = setup();
    watch("a");
    await clock.advance(3000);
    expect(probedAt).toEqual([0, 50, 150, 350, 750, 1550, 2550]);
    becomes(true);
    await clock.advance(21_000);
    expect(probedAt.slice(7)).toEqual([3550, 13_550, 23_550]);
  });

  it("wait shortly for an answer at first, and for the whole time later", async () => {
    const { clock, timeouts, watch, becomes } = setup();
    watch("a");
    await clock.advance(1000);
    expect(timeouts).toEqual([250, 500, 1000, 1000, 1000]);
    becomes(true);
    await clock.advance(30_000);
    expect(timeouts.at(-1)).toBe(1000);
  });

  it("are told of where they change something, and counted in a row", async () => {
    const { clock, changes, prober, watch, becomes } = setup();
    watch("a");
    await clock.advance(1000);
    expect(changes).toEqual(["a"]);
    becomes(true);
    await clock.advance(30_000);
    expect(changes).toEqual(["a", "a"]);
    becomes(false);
    await clock.advance(20_000);
    expect(changes).toHaveLength(4);
    expect(prober.health.get("a")).toMatchObject({ isHealthy: false, hasBeenHealthy: true, failuresInRow: 2 });
  });

  it("end with the run, and begin anew with the next", async () => {
    const { clock, probedAt, prober, watch, becomes } = setup();
    becomes(true);
    watch("a");
    await clock.advance(1);
    watch("b");
    await clock.advance(1);
    expect([...prober.health.keys()]).toEqual(["b"]);
    watch();
    const count = probedAt.length;
    await clock.advance(60_000);
    expect(probedAt).toHaveLength(count);
    expect(prober.health.size).toBe(0);
  });
});
