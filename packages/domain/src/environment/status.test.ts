import { describe, expect, it } from "vitest";
import {
  type EnvironmentFacts,
  type ReplicaFacts,
  type ReplicaView,
  type SeenState,
  type ServiceFacts,
  viewEnvironment,
  viewReplica,
  viewService,
} from "./status.ts";

const node = { name: "n1", isLost: false };
const said = { state: "running", message: "Fine.", specHash: "a", round: 1 } as const;

function replica(facts: Partial<ReplicaFacts> = {}) {
  return viewReplica({ number: 1, wanted: "running", specHash: "a", round: 1, node, status: said, ...facts });
}

const state = (facts: Partial<ReplicaFacts>) => replica(facts).state;

describe("a replica", () => {
  it("is what its node says of the newest spec and round", () => {
    expect(replica()).toMatchObject({ state: "running", message: "Fine.", isCounted: true });
    for (const one of ["starting", "unhealthy", "failed", "stopped"] as const)
      expect(state({ status: { ...said, state: one } })).toBe(one);
    expect(state({ specHash: "b" })).toBe("starting");
    expect(state({ round: 2 })).toBe("starting");
    expect(state({ status: { ...said, specHash: null } })).toBe("starting");
    expect(state({ status: undefined })).toBe("starting");
  });

  it("is pending without a node, and nobody knows of it on a lost one", () => {
    expect(replica({ node: undefined, status: undefined })).toMatchObject({
      state: "pending",
      message: "Waits for a node that can run it.",
    });
    const lost = { name: "n1", isLost: true };
    expect(replica({ node: lost })).toMatchObject({
      state: "unknown",
      message: 'Node "n1" does not answer. It was last running.',
    });
    expect(replica({ node: lost, status: undefined }).message).toBe(
      'Node "n1" does not answer. Nothing was heard of it.',
    );
    expect(state({ node: lost, wanted: "gone" })).toBe("unknown");
  });

  it("stops, and has stopped when its node says so or there was nothing to stop", () => {
    expect(state({ wanted: "stopped" })).toBe("stopping");
    expect(state({ wanted: "stopped", status: { ...said, state: "failed" } })).toBe("stopping");
    expect(state({ wanted: "stopped", status: { ...said, state: "stopped" }, round: 2 })).toBe("stopped");
    expect(state({ wanted: "stopped", status: undefined })).toBe("stopped");
    expect(state({ wanted: "stopped", node: undefined })).toBe("stopped");
    expect(replica({ wanted: "gone" })).toMatchObject({ state: "stopping", isCounted: false });
    expect(replica({ isLeaving: true }).isCounted).toBe(false);
  });
});

const web: ServiceFacts = { name: "web", isRequired: true, isStopped: false, replicas: 1 };

function service(states: SeenState[], facts: Partial<ServiceFacts> = {}) {
  const replicas = states.map((one, index) => ({ number: index + 1, state: one, message: "", isCounted: true }));
  return viewService({ ...web, replicas: states.length, ...facts }, replicas);
}

describe("a service", () => {
  it("is the worst of its replicas, and says which", () => {
    expect(service(["running", "running"])).toMatchObject({
      state: "running",
      running: 2,
      message: "All 2 replicas run.",
    });
    expect(service(["running", "starting", "failed"])).toMatchObject({
      state: "failed",
      running: 1,
      message: "1 of 3 replicas run. Replica 3: It has failed.",
    });
    expect(service(["running", "unknown"]).state).toBe("unknown");
    expect(service(["pending", "starting"]).state).toBe("pending");
  });

  it("waits for replicas that are about to be made, and does not count those on their way out", () => {
    expect(service(["running"], { replicas: 2 })).toMatchObject({ state: "pending", running: 1 });
    const going = { number: 1, state: "stopping", message: "", isCounted: false } as const;
    expect(viewService(web, [going, { ...going, state: "running", isCounted: true }]).state).toBe("running");
    expect(viewService({ ...web, replicas: 0 }, [going])).toMatchObject({
      state: "stopping",
      message: "Its replicas are removed.",
    });
    const cutOff: ReplicaView = {
      ...going,
      state: "unknown",
      message: 'Node "a" does not answer. It was last running.',
    };
    expect(viewService({ ...web, replicas: 0 }, [going, cutOff]).message).toBe(
      'Its replicas are to be removed. Node "a" does not answer. It was last running.',
    );
    expect(viewService({ ...web, replicas: 0 }, [])).toMatchObject({
      state: "stopped",
      message: "No replica is declared.",
    });
  });

  it("was stopped, or stops", () => {
    expect(service(["stopped"], { isStopped: true })).toMatchObject({ state: "stopped", message: "Was stopped." });
    expect(service(["stopping"], { isStopped: true })).toMatchObject({ state: "stopping", message: "Stops." });
    expect(service([], { isStopped: true, replicas: 2 }).state).toBe("stopped");
  });
});

describe("an environment", () => {
  const quiet: EnvironmentFacts = { isDeleting: false, isRolling: false, pausedReason: null };
  const seen = (services: ReturnType<typeof service>[], facts: Partial<EnvironmentFacts> = {}) =>
    viewEnvironment({ ...quiet, ...facts }, services).state;
  const side = (states: SeenState[]) => service(states, { name: "side", isRequired: false });

  it("is ready when everything runs that is not stopped, or has ended and may", () => {
    expect(seen([service(["running"]), side(["running"])])).toBe("ready");
    expect(seen([service(["running"]), service(["stopped"], { isStopped: true })])).toBe("ready");
    expect(seen([service(["running"]), service(["stopped"])])).toBe("ready");
    expect(
      viewEnvironment(quiet, [service(["running"]), service(["stopped"], { name: "db", isStopped: true })]).message,
    ).toBe("All services run but those that were stopped: db.");
    const job = service(["stopped"], { name: "job" });
    expect(viewEnvironment(quiet, [service(["running"]), job]).message).toBe(
      "All services run but those that have ended: job.",
    );
    expect(viewEnvironment(quiet, [job]).message).toBe("Its service has ended.");
  });

  it("tells of what runs and is not as declared", () => {
    const changed = { number: 2, state: "running", message: "Changed by hand: memory.", isCounted: true } as const;
    const two = viewService({ ...web, replicas: 2 }, [{ ...changed, number: 1, message: "" }, changed]);
    expect(two).toMatchObject({ state: "running", message: "All 2 replicas run. Changed by hand: memory." });
    expect(viewEnvironment(quiet, [two])).toEqual({
      state: "ready",
      message: "Its service runs. web: Changed by hand: memory.",
    });
  });

  it("has failed only where nothing is left of a required service", () => {
    expect(seen([service(["failed"])])).toBe("failed");
    expect(seen([service(["failed", "starting"])])).toBe("failed");
    expect(seen([service(["failed", "running"])])).toBe("degraded");
    expect(seen([service(["running"]), side(["failed"])])).toBe("degraded");
    expect(seen([service(["unhealthy"])])).toBe("degraded");
    expect(seen([service(["unknown"])])).toBe("degraded");
  });

  it("converges while something is on its way", () => {
    expect(seen([service(["starting"]), side(["running"])])).toBe("converging");
    expect(seen([service(["running"]), side(["pending"])])).toBe("converging");
    expect(seen([service(["running"])], { isRolling: true })).toBe("converging");
    expect(seen([service(["stopping"], { isStopped: true })])).toBe("converging");
    expect(seen([service(["running"])], { isRolling: true, pausedReason: "replica 1 of web is failed." })).toBe(
      "degraded",
    );
  });

  it("is stopped when all is, and deleted whatever else", () => {
    expect(seen([service(["stopped"], { isStopped: true }), service([], { replicas: 0 })])).toBe("stopped");
    expect(seen([service(["failed"])], { isDeleting: true })).toBe("deleting");
  });

  it("says in words what is missing", () => {
    const message = viewEnvironment(quiet, [service(["running"]), service(["failed"], { name: "db" })]).message;
    expect(message).toBe("A required service has failed. db: It has failed.");
  });
});
