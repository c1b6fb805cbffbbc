import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HealthCheck, RestartPolicy } from "./declaration.ts";
import { type ReconcileInput, reconcile } from "./reconcile.ts";
import {
  type DesiredReplica,
  type FoundContainer,
  type Health,
  noteFailure,
  type ReplicaMemory,
  runKey,
} from "./replica-step.ts";

const restart: RestartPolicy = { when: "always", baseDelaySeconds: 1, maxDelaySeconds: 30 };
const check: HealthCheck = {
  probe: { kind: "tcp", port: 80 },
  intervalSeconds: 10,
  timeoutSeconds: 1,
  retries: 3,
  startSeconds: 20,
};

interface Overrides extends Partial<Omit<DesiredReplica, "spec">> {
  dependsOn?: string[];
  health?: HealthCheck;
  restart?: RestartPolicy;
}

function want({ dependsOn = [], health, restart: policy = restart, ...rest }: Overrides = {}): DesiredReplica {
  return {
    id: "1",
    namespace: "default",
    environment: "shop",
    service: "web",
    number: 1,
    specHash: "a",
    round: 0,
    wanted: "running",
    gpus: null,
    unmet: null,
    spec: { service: { image: "web:1", dependsOn, restart: policy, ...(health && { health }) } },
    ...rest,
  };
}

function find(rest: Partial<FoundContainer> = {}): FoundContainer {
  return {
    id: "c1",
    replicaId: "1",
    specHash: "a",
    round: 0,
    gpus: [],
    state: "running",
    startedAt: "t1",
    drift: [],
    ...rest,
  };
}

const healthy: Health = { isHealthy: true, hasBeenHealthy: true, failuresInRow: 0, message: "" };
const failing = (failuresInRow: number, hasBeenHealthy: boolean): Health => ({
  isHealthy: false,
  hasBeenHealthy,
  failuresInRow,
  message: "refused",
});

/** A node that remembers what the last look said, as the agent does. */
function setup(desired: DesiredReplica[]) {
  let memories = new Map<string, ReplicaMemory>();
  const look = (found: FoundContainer[], nowMs: number, rest: Partial<ReconcileInput> & { probe?: Health } = {}) => {
    const { probe, ...input } = rest;
    const health = new Map(probe && found.map((one) => [runKey(one), probe]));
    const answer = reconcile({
      desired,
      found,
      memories,
      health,
      busy: new Set(),
      freeStarts: 5,
      unmendable: new Set(),
      isDriftMended: true,
      wasEngineAway: false,
      nowMs,
      ...input,
    });
    memories = new Map(answer.steps.map((step) => [step.desired.id, step.memory]));
    return {
      actions: answer.steps.flatMap(({ action }) => action ?? []),
      strays: answer.strays,
      wakeAtMs: answer.wakeAtMs,
      states: answer.steps.map(({ status }) => status?.state),
      messages: answer.steps.map(({ status }) => status?.message),
      status: answer.steps[0]?.status,
    };
  };
  const remember = (change: (memory: ReplicaMemory) => ReplicaMemory) =>
    void (memories = new Map([...memories].map(([id, memory]) => [id, change(memory)])));
  const hasImage = () => remember((memory) => ({ ...memory, hasImage: true }));
  return { look, hasImage, remember };
}

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
      messages: ["Ended with exit code 3. Given up after 1 restarts."],
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
    expect(look(ended, 1, { wasEngineAway: true }).actions).toEqual([{ kind: "start", containerId: "c1" }]);
    expect(look(ended, 2).actions).toEqual([{ kind: "start", containerId: "c1" }]);
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
    remember((memory) => noteFailure(noteFailure(memory, restart, "no image", 0), restart, "no image", 0));
    expect(look([find()], 1)).toMatchObject({
      actions: [],
      states: ["failed"],
      messages: ["no image Tried again 1 s after that."],
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
    for (const rest of [{ isDriftMended: false }, { unmendable: new Set(["c1"]) }]) {
      expect(observed.look([changed], 0, rest)).toMatchObject({
        actions: [],
        states: ["running"],
        messages: ["Changed by hand: memory."],
      });
    }
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
  });

  it("stops the other way round", () => {
    const { look } = setup([redis, web].map((one) => ({ ...one, wanted: "gone" as const })));
    expect(look([inRedis, inWeb], 0)).toMatchObject({
      actions: [{ kind: "stop", containerId: "c2" }],
      messages: ["Waits until web, which depends on it, has stopped.", ""],
    });
    expect(look([inRedis], 1).actions).toEqual([{ kind: "stop", containerId: "c1" }]);
  });

  it("does not wait for services that wait for each other", () => {
    const pair = [want({ id: "1", service: "a", dependsOn: ["b"] }), want({ id: "2", service: "b", dependsOn: ["a"] })];
    const { look, hasImage } = setup(pair);
    look([], 0);
    hasImage();
    expect(look([], 1).actions).toHaveLength(2);
  });

  it("starts no more at once than it may", () => {
    const { look, hasImage } = setup(Array.from({ length: 9 }, (_, index) => want({ id: String(index) })));
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
  const states = fc.constantFrom("new", "running", "stopped", "dead", "unknown");
  const container = fc
    .record({
      id: fc.constantFrom("c1", "c2", "c3", "c4"),
      replicaId: fc.constantFrom("1", "2", "9"),
      specHash: fc.constantFrom("a", "b"),
      round: fc.constantFrom(0, 1),
      state: states,
      exitCode: fc.constantFrom(0, 1),
    })
    .map((rest) => find(rest as Partial<FoundContainer>));
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
      all.map((one) => want({ ...one, dependsOn: [...one.dependsOn], service: one.id === "1" ? "web" : "app" })),
    );

  it("touches no container of which nothing is known, and none twice", () => {
    fc.assert(
      fc.property(wanted, containers, (desired, found) => {
        const { look, hasImage } = setup(desired);
        for (const at of [0, 100]) {
          const { actions, strays } = look(found, at, { wasEngineAway: at === 100 });
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
