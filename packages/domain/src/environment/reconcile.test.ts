import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { check, createTestNode as setup, find, healthy, want } from "./testing-node.ts";

describe("a whole node", () => {
  const redis = want({ id: "1", service: "redis", health: check });
  const web = want({ id: "2", service: "web", dependsOn: ["redis"] });
  const inRedis = find({ id: "c1", replicaId: "1" });
  const inWeb = find({ id: "c2", replicaId: "2" });

  it("starts a service once what it depends on is healthy, here or elsewhere", () => {
    const { look, hasImage } = setup([web, redis]);
    look([], 0);
    hasImage();
    expect(look([], 1)).toMatchObject({
      actions: [{ kind: "create" }],
      messages: ["Waits for redis, which it depends on.", ""],
    });
    expect(look([inRedis], 2).actions).toEqual([]);
    expect(look([inRedis], 3, { probe: healthy }).actions).toEqual([{ kind: "create" }]);
    const elsewhere = setup([{ ...web, unmet: ["redis"] }]);
    elsewhere.look([], 0);
    elsewhere.hasImage();
    expect(elsewhere.look([], 1)).toMatchObject({ actions: [], states: ["starting"] });
    const there = setup([{ ...web, met: ["redis"] }, redis]);
    there.look([], 0);
    there.hasImage();
    // The one here has failed, or has yet to start; another one is up.
    expect(there.look([], 1).actions).toEqual([{ kind: "create" }, { kind: "create" }]);
  });

  it("stops the other way round", () => {
    const { look } = setup([redis, web].map((one) => ({ ...one, wanted: "gone" as const })));
    expect(look([inRedis, inWeb], 0)).toMatchObject({
      actions: [{ kind: "stop", containerId: "c2" }],
      messages: ["Waits until web, which depends on it, has stopped.", ""],
    });
    expect(look([inRedis], 1).actions).toEqual([{ kind: "stop", containerId: "c1" }]);
  });

  it("waits with a replica until the one in its place is removed", () => {
    const { look, hasImage } = setup([want({ id: "1", wanted: "gone" }), want({ id: "2" })]);
    look([inRedis], 0);
    hasImage();
    expect(look([inRedis], 1)).toMatchObject({
      actions: [{ kind: "stop", containerId: "c1" }],
      states: ["stopping", "starting"],
    });
    expect(look([], 2).actions).toEqual([{ kind: "create" }]);
  });

  it("does not wait for services that wait for each other", () => {
    const pair = [want({ id: "1", service: "a", dependsOn: ["b"] }), want({ id: "2", service: "b", dependsOn: ["a"] })];
    const { look, hasImage } = setup(pair);
    look([], 0);
    hasImage();
    expect(look([], 1).actions).toHaveLength(2);
  });

  it("starts no more at once than it may", () => {
    const { look, hasImage } = setup(
      Array.from({ length: 9 }, (_, index) => want({ id: String(index), number: index })),
    );
    expect(look([], 0).actions).toHaveLength(9);
    hasImage();
    expect(look([], 1, { freeStarts: 5 }).actions).toHaveLength(5);
    expect(look([], 1, { freeStarts: 0 }).actions).toHaveLength(0);
  });

  it("removes what nobody asks for, and the worse of two containers of a replica", () => {
    const { look } = setup([want()]);
    const other = find({ id: "c9", replicaId: "9" });
    expect(look([find(), other], 0).strays).toEqual([{ kind: "stop", containerId: "c9" }]);
    expect(look([find(), { ...other, state: "stopped" }], 0).strays).toEqual([{ kind: "remove", containerId: "c9" }]);
    expect(look([find({ id: "c0", specHash: "old" }), find()], 0).strays).toEqual([
      { kind: "stop", containerId: "c0" },
    ]);
  });
});

describe("any node", () => {
  const states = fc.constantFrom(...(["new", "running", "stopped", "dead", "unknown"] as const));
  const container = fc
    .record({
      id: fc.constantFrom("c1", "c2", "c3", "c4"),
      replicaId: fc.constantFrom("1", "2", "9"),
      specHash: fc.constantFrom("a", "b"),
      round: fc.constantFrom(0, 1),
      state: states,
      exitCode: fc.constantFrom(0, 1),
    })
    .map((rest) => find(rest));
  const containers = fc.uniqueArray(container, { selector: ({ id }) => id });
  const wanted = fc
    .uniqueArray(
      fc.record({
        id: fc.constantFrom("1", "2", "3"),
        wanted: fc.constantFrom("running" as const, "stopped" as const, "gone" as const),
        dependsOn: fc.constantFrom([], ["web"]),
      }),
      { selector: ({ id }) => id },
    )
    .map((all) =>
      all.map((one) =>
        want({
          ...one,
          dependsOn: [...one.dependsOn],
          number: Number(one.id),
          service: one.id === "1" ? "web" : "app",
        }),
      ),
    );

  it("touches no container of which nothing is known, and none twice", () => {
    fc.assert(
      fc.property(wanted, containers, (desired, found) => {
        const { look, hasImage } = setup(desired);
        for (const at of [0, 100]) {
          const { actions, strays } = look(found, at, at === 100 ? { engineAwaySinceMs: 50 } : {});
          hasImage();
          const touched = [...actions, ...strays].flatMap((action) =>
            "containerId" in action ? action.containerId : [],
          );
          const unknown = new Set(found.filter(({ state }) => state === "unknown").map(({ id }) => id));
          expect(touched.filter((id) => unknown.has(id))).toEqual([]);
          expect(new Set(touched).size).toBe(touched.length);
        }
      }),
    );
  });

  it("comes to rest where it should be when each thing that it says is done", () => {
    fc.assert(
      fc.property(wanted, containers, (desired, first) => {
        const { look, hasImage } = setup(desired);
        let found = first.filter(({ state }) => state !== "unknown");
        let runs = 0;
        let last = look(found, 0);
        for (let round = 0; round < 40; round += 1) {
          hasImage();
          for (const [index, action] of [...last.actions, ...last.strays].entries()) {
            if (action.kind === "create") continue;
            if (action.kind === "remove") found = found.filter(({ id }) => id !== action.containerId);
            if (action.kind === "start" || action.kind === "stop") {
              const state = action.kind === "start" ? "running" : "stopped";
              const startedAt = action.kind === "start" ? { startedAt: `run ${(runs += 1)} ${index}` } : {};
              found = found.map((one) => (one.id === action.containerId ? { ...one, state, ...startedAt } : one));
            }
          }
          if (last.actions.some(({ kind }) => kind === "create")) {
            const missing = desired.filter(
              ({ id, wanted: as }) => as === "running" && !found.some(({ replicaId }) => replicaId === id),
            );
            found = [...found, ...missing.map(({ id }) => find({ id: `n${id}`, replicaId: id, state: "new" }))];
          }
          last = look(found, round * 100_000);
        }
        expect([...last.actions, ...last.strays]).toEqual([]);
        const running = found.filter(({ state }) => state === "running");
        const isBlocked = desired.some(({ id, wanted: as }) => id === "1" && as === "stopped");
        const expected = desired.filter(
          ({ wanted: as, spec }) => as === "running" && !(isBlocked && spec.service.dependsOn.length > 0),
        );
        for (const one of expected) {
          expect(running).toContainEqual(expect.objectContaining({ replicaId: one.id, specHash: "a", round: 0 }));
        }
        const wantedGone = desired.filter(({ wanted: as }) => as === "gone").map(({ id }) => id);
        expect(found.filter(({ replicaId }) => replicaId === "9" || wantedGone.includes(replicaId))).toEqual([]);
      }),
    );
  });
});
