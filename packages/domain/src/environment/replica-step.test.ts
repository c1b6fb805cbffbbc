import { describe, expect, it } from "vitest";
import { noteFailure, type ReplicaMemory } from "./replica-memory.ts";
import { check, createTestNode as setup, failing, find, healthy, restart, want } from "./testing-node.ts";

describe("one replica", () => {
  it("gets its image, its container, and is running once that runs", () => {
    const { look, hasImage } = setup([want()]);
    expect(look([], 0)).toMatchObject({ actions: [{ kind: "fetch" }], states: ["starting"] });
    hasImage();
    expect(look([], 1).actions).toEqual([{ kind: "create" }]);
    expect(look([find({ state: "new" })], 2).actions).toEqual([{ kind: "start", containerId: "c1" }]);
    expect(look([find()], 3)).toMatchObject({ actions: [], states: ["running"] });
  });

  it("is running only once its probe succeeded, and remains so through less failures than retries", () => {
    const { look } = setup([want({ health: check })]);
    expect(look([find()], 0)).toMatchObject({ states: ["starting"], wakeAtMs: 20_000 });
    expect(look([find()], 1, { probe: failing(9, false) }).states).toEqual(["starting"]);
    expect(look([find()], 2, { probe: healthy }).status).toMatchObject({ state: "running", healthySinceMs: 2 });
    expect(look([find()], 3, { probe: failing(2, true) })).toMatchObject({ states: ["running"], actions: [] });
  });

  it("is restarted when its probes fail in a row, the first time at once, then later and later", () => {
    const { look } = setup([want({ health: check })]);
    look([find()], 0, { probe: healthy });
    expect(look([find()], 10, { probe: failing(3, true) })).toMatchObject({
      states: ["unhealthy"],
      actions: [{ kind: "stop", containerId: "c1" }],
    });
    expect(look([find({ state: "stopped", exitCode: 0 })], 20).actions).toEqual([{ kind: "start", containerId: "c1" }]);
    const second = find({ startedAt: "t2" });
    look([second], 30, { probe: healthy });
    expect(look([second], 40, { probe: failing(3, true) })).toMatchObject({ actions: [], wakeAtMs: 1040 });
    expect(look([second], 50, { probe: healthy }).states).toEqual(["running"]);
    look([second], 60, { probe: failing(3, true) });
    expect(look([second], 2060, { probe: failing(4, true) }).actions).toEqual([{ kind: "stop", containerId: "c1" }]);
  });

  it("has failed when it is not healthy in time, and is tried again with backoff", () => {
    const { look } = setup([want({ health: check })]);
    look([find()], 0);
    expect(look([find()], 20_000, { probe: failing(30, false) })).toMatchObject({
      states: ["failed"],
      messages: ["Not healthy within 20 s of its start: refused"],
      actions: [{ kind: "stop", containerId: "c1" }],
    });
    expect(look([find({ state: "stopped", exitCode: 143 })], 20_010).actions).toEqual([
      { kind: "start", containerId: "c1" },
    ]);
    look([find({ startedAt: "t2" })], 20_020);
    look([find({ startedAt: "t2" })], 40_020);
    expect(look([find({ startedAt: "t2", state: "stopped" })], 40_030)).toMatchObject({
      actions: [],
      wakeAtMs: 41_020,
    });
  });

  it("that the agent finds running gets its whole start time before anything is held against it", () => {
    const { look } = setup([want({ health: check })]);
    expect(look([find({ startedAt: "long ago" })], 1_000_000, { probe: failing(3, false) })).toMatchObject({
      actions: [],
      states: ["starting"],
      wakeAtMs: 1_020_000,
    });
  });

  it("is started again when it ended: at once, then after the base delay, doubled up to the maximum", () => {
    const { look } = setup([want()]);
    const waits: number[] = [];
    for (let run = 1; run <= 8; run += 1) {
      look([find({ startedAt: `t${run}` })], run * 100_000);
      const ended = look([find({ startedAt: `t${run}`, state: "stopped", exitCode: 1 })], run * 100_000 + 10);
      waits.push(ended.wakeAtMs === Number.POSITIVE_INFINITY ? 0 : ended.wakeAtMs - run * 100_000 - 10);
    }
    expect(waits).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("is forgiven what was before ten healthy minutes", () => {
    const { look } = setup([want({ restart: { ...restart, maxRestarts: 1 } })]);
    for (const [run, at] of [0, 1_000_000, 2_000_000].entries()) {
      look([find({ startedAt: `t${run}` })], at);
      expect(look([find({ startedAt: `t${run}`, state: "stopped", exitCode: 1 })], at + 600_000).actions).toEqual([
        { kind: "start", containerId: "c1" },
      ]);
    }
  });

  it("is given up after its last restart, until somebody asks for a new round", () => {
    const desired = want({ restart: { ...restart, maxRestarts: 1 } });
    const { look } = setup([desired]);
    look([find()], 0);
    expect(look([find({ state: "stopped", exitCode: 3 })], 1).actions).toHaveLength(1);
    look([find({ startedAt: "t2" })], 2);
    expect(look([find({ startedAt: "t2", state: "stopped", exitCode: 3 })], 3)).toMatchObject({
      actions: [],
      states: ["failed"],
      messages: ["Ended with exit code 3. Given up after 1 restart."],
    });
    desired.round = 1;
    look([find({ startedAt: "t2", state: "stopped", exitCode: 3 })], 4);
    expect(look([find({ startedAt: "t2", state: "stopped", exitCode: 3 })], 5).actions).toEqual([{ kind: "fetch" }]);
  });

  it.each([
    ["never", 1, "failed"],
    ["never", 0, "stopped"],
    ["on-failure", 0, "stopped"],
  ] as const)("rests with policy %s after exit code %i", (when, exitCode, state) => {
    const { look } = setup([want({ restart: { ...restart, when } })]);
    look([find()], 0);
    for (const at of [1, 1e9]) {
      expect(look([find({ state: "stopped", exitCode })], at)).toMatchObject({ actions: [], states: [state] });
    }
  });

  it("that ended with its engine is started again whatever its policy", () => {
    const { look } = setup([want({ restart: { ...restart, when: "never" } })]);
    look([find()], 0);
    const ended = [find({ state: "stopped", exitCode: 143 })];
    expect(look(ended, 1, { engineAwaySinceMs: 0 }).actions).toEqual([{ kind: "start", containerId: "c1" }]);
    expect(look(ended, 2).actions).toEqual([{ kind: "start", containerId: "c1" }]);
    const told = setup([want({ restart: { ...restart, when: "never" } })]);
    told.look([find()], 0);
    expect(told.look(ended, 1000).actions).toEqual([]);
    expect(told.look(ended, 600_000, { engineAwaySinceMs: 5000 }).actions).toHaveLength(1);
    told.look([find({ startedAt: "t2" })], 600_001);
    const later = [find({ startedAt: "t2", state: "stopped", exitCode: 1 })];
    told.look(later, 600_002);
    expect(told.look(later, 900_000, { engineAwaySinceMs: 800_000 }).actions).toEqual([]);
  });

  it.each([
    ["spec", { specHash: "b" }],
    ["round", { round: 1 }],
    ["GPUs", { gpus: [{ uuid: "GPU-2" }] }],
  ])("whose %s changed gets a new container once the image is there", (_, change) => {
    const { look, hasImage } = setup([want(change)]);
    expect(look([find()], 0)).toMatchObject({ actions: [{ kind: "fetch" }] });
    hasImage();
    expect(look([find()], 1).actions).toEqual([{ kind: "stop", containerId: "c1" }]);
    expect(look([find({ state: "stopped" })], 2).actions).toEqual([{ kind: "remove", containerId: "c1" }]);
    expect(look([], 3).actions).toEqual([{ kind: "create" }]);
  });

  it("keeps its old container while the new image cannot be had", () => {
    const { look, remember } = setup([want({ specHash: "b" })]);
    look([find()], 0);
    const failed = (memory: ReplicaMemory) => noteFailure(memory, { kind: "fetch" }, restart, "no image", 0);
    remember((memory) => failed(failed(memory)));
    expect(look([find()], 1)).toMatchObject({
      actions: [],
      states: ["failed"],
      messages: ["no image. Next try in 1 s."],
      wakeAtMs: 1000,
    });
    expect(look([find()], 1000).actions).toEqual([{ kind: "fetch" }]);
  });

  it("that was changed by hand is made anew, or only told of", () => {
    const changed = find({ drift: [{ field: "memory", wanted: "1", found: "2" }] });
    const mended = setup([want()]);
    mended.look([changed], 0);
    mended.hasImage();
    expect(mended.look([changed], 1).actions).toEqual([{ kind: "stop", containerId: "c1" }]);
    const observed = setup([want()]);
    for (const rest of [{ drift: "observe" as const }, { unmendable: new Set(["c1"]) }]) {
      expect(observed.look([changed], 0, rest)).toMatchObject({
        actions: [],
        states: ["running"],
        messages: ["Changed by hand: memory."],
      });
    }
  });

  it("whose container is of no use any more gets a new one, whatever is done about changes by hand", () => {
    const { look, hasImage } = setup([want()]);
    const useless = [find({ fault: "it lost its way to its GPU." })];
    look(useless, 0, { drift: "observe" as const });
    hasImage();
    expect(look(useless, 1, { drift: "observe" as const })).toMatchObject({
      actions: [{ kind: "stop", containerId: "c1" }],
      messages: ["Is made anew: it lost its way to its GPU."],
    });
  });

  it("that is to be stopped is stopped and kept; one that is to be gone is removed, and then gone", () => {
    const stopped = setup([want({ wanted: "stopped" })]);
    expect(stopped.look([find()], 0)).toMatchObject({ actions: [{ kind: "stop" }], states: ["stopping"] });
    expect(stopped.look([find({ state: "stopped" })], 0)).toMatchObject({ actions: [], states: ["stopped"] });
    const gone = setup([want({ wanted: "gone" })]);
    expect(gone.look([find()], 0).actions).toEqual([{ kind: "stop", containerId: "c1" }]);
    expect(gone.look([find({ state: "stopped" })], 0).actions).toEqual([{ kind: "remove", containerId: "c1" }]);
    expect(gone.look([], 0)).toMatchObject({ actions: [], states: ["gone"] });
  });
});
