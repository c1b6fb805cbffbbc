import { describe, expect, it } from "vitest";

import { createHealth, type HealthState } from "./health.ts";

function setup() {
  const health = createHealth({ checks: { database: "ready", loops: "live" }, now: () => new Date(1_000) });
  const seen: HealthState[] = [];
  const unsubscribe = health.subscribe((state) => seen.push(state));
  return { health, seen, unsubscribe };
}

const ready = (states: HealthState[]) => states.map((state) => state.isReady);

describe("createHealth", () => {
  it("is alive but not ready before anything was checked", () => {
    const { health } = setup();
    expect(health.state()).toMatchObject({ isLive: true, isReady: false, isDraining: false });
    expect(health.state().checks[0]).toEqual({
      name: "database",
      kind: "ready",
      ok: undefined,
      message: "not checked yet",
      at: undefined,
    });
  });

  it("is ready when every ready check says yes, and not when one fails, with the reason", () => {
    const { health } = setup();
    health.report("database", { ok: true });
    expect(health.state().isReady).toBe(true);
    health.report("database", { ok: false, message: "The database does not answer." });
    expect(health.state()).toMatchObject({ isLive: true, isReady: false });
    expect(health.state().checks[0]).toMatchObject({
      ok: false,
      message: "The database does not answer.",
      at: new Date(1_000),
    });
  });

  it("is neither alive nor ready when a live check fails", () => {
    const { health } = setup();
    health.report("database", { ok: true });
    health.report("loops", { ok: false });
    expect(health.state()).toMatchObject({ isLive: false, isReady: false });
  });

  it("stays alive but is not ready while draining, whatever the checks say afterwards", () => {
    const { health } = setup();
    health.report("database", { ok: true });
    health.drain();
    health.report("database", { ok: true });
    expect(health.state()).toMatchObject({ isLive: true, isReady: false, isDraining: true });
  });

  it("tells a listener the state at once and then each change of a verdict, but no repeats", () => {
    const { health, seen } = setup();
    health.report("database", { ok: true });
    health.report("database", { ok: true });
    health.report("database", { ok: false });
    health.report("database", { ok: true });
    health.drain();
    health.drain();
    expect(ready(seen)).toEqual([false, true, false, true, false]);
  });

  it("leaves a listener alone that has unsubscribed", () => {
    const { health, seen, unsubscribe } = setup();
    unsubscribe();
    health.report("database", { ok: true });
    expect(seen).toHaveLength(1);
  });

  it("refuses a result of a check that nobody declared", () => {
    const { health } = setup();
    expect(() => health.report("databse" as "database", { ok: true })).toThrow(
      "one of the checks database, loops, got databse",
    );
  });
});
