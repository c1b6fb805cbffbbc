import { describe, expect, it } from "vitest";
import { noteFailure, noteSuccess, type ReplicaMemory } from "./replica-memory.ts";
import { check, createTestNode as setup, failing, find, healthy, restart, want } from "./testing-node.ts";

/** What an action that failed leaves in the memory. */
const failed = (kind: "fetch" | "create", memory: ReplicaMemory) =>
  noteFailure(memory, { kind }, restart, "no image", 0);

describe("a replica that came to an end", () => {
  it("whose starts fail is given up as one whose runs do, and one whose pulls fail is not", () => {
    const bounded = setup([want({ restart: { ...restart, maxRestarts: 1 } })]);
    bounded.look([], 0);
    bounded.hasImage();
    bounded.remember((memory) => failed("create", memory));
    bounded.hasImage();
    expect(bounded.look([], 1).actions).toEqual([{ kind: "create" }]);
    bounded.remember((memory) => failed("create", memory));
    bounded.hasImage();
    for (const found of [[], [find({ state: "new" })]]) {
      expect(bounded.look(found, 1e9)).toMatchObject({
        actions: [],
        messages: ["no image. Given up after 1 restart."],
        status: { state: "failed", restarts: 1 },
      });
    }
    const pulling = setup([want({ restart: { ...restart, maxRestarts: 1 } })]);
    pulling.look([], 0);
    for (let pulls = 0; pulls < 9; pulls += 1) pulling.remember((memory) => failed("fetch", memory));
    expect(pulling.look([], 1e9).actions).toEqual([{ kind: "fetch" }]);
  });

  it("says so where not one restart is allowed", () => {
    const { look } = setup([want({ restart: { ...restart, maxRestarts: 0 } })]);
    look([find()], 0);
    expect(look([find({ state: "stopped", exitCode: 3 })], 1).messages).toEqual([
      "Ended with exit code 3. Given up: its restart policy allows no restart.",
    ]);
  });

  it("with policy never that does not get healthy in time is stopped, and has failed however it ends", () => {
    const { look } = setup([want({ health: check, restart: { ...restart, when: "never" } })]);
    look([find()], 0);
    expect(look([find()], 20_000, { probe: failing(30, false) })).toMatchObject({
      states: ["failed"],
      actions: [{ kind: "stop", containerId: "c1" }],
    });
    for (const at of [20_010, 1e9]) {
      expect(look([find({ state: "stopped", exitCode: 0 })], at)).toMatchObject({
        actions: [],
        states: ["failed"],
        messages: ["Not healthy within 20 s of its start: refused. Its restart policy lets it rest."],
      });
    }
  });

  it("with policy never that was healthy runs on when it is so no more", () => {
    const { look } = setup([want({ health: check, restart: { ...restart, when: "never" } })]);
    look([find()], 0, { probe: healthy });
    expect(look([find()], 10, { probe: failing(3, true) })).toMatchObject({ states: ["unhealthy"], actions: [] });
  });

  it("that ended well and was then removed by hand stays as it ended", () => {
    const { look } = setup([want({ restart: { ...restart, when: "on-failure" } })]);
    look([find()], 0);
    look([find({ state: "stopped", exitCode: 0 })], 1);
    expect(look([], 2)).toMatchObject({ actions: [], states: ["stopped"] });
  });

  it("counts as restarts the starts that come after a failure, and no others", () => {
    const { look, remember } = setup([want()]);
    const start = { kind: "start", containerId: "c1" } as const;
    const restarts = (at: number) => look([find()], at).status?.restarts;
    look([], 0);
    remember((memory) => noteSuccess(memory, start));
    expect(restarts(1)).toBe(0);
    remember((memory) => noteSuccess(failed("create", memory), start));
    expect(restarts(2)).toBe(1);
  });
});
