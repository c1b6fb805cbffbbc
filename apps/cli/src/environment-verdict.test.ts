import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Environment,
  EnvironmentSchema,
  EnvironmentState,
  ReplicaState,
  ServiceSchema,
} from "@drover/proto/drover/environment";
import { describe, expect, it } from "vitest";
import { failedServices, isStopped, judgeStart, stuckServices } from "./environment-verdict.ts";

type ServiceInit = MessageInitShape<typeof ServiceSchema>;

function environment(services: ServiceInit[], more: MessageInitShape<typeof EnvironmentSchema> = {}): Environment {
  return create(EnvironmentSchema, { name: "shop", state: EnvironmentState.READY, services, ...more });
}

const service = (name: string, state: ReplicaState, more: ServiceInit = {}): ServiceInit => ({
  name,
  state,
  required: true,
  replicas: 1,
  running: state === ReplicaState.RUNNING ? 1 : 0,
  ...more,
});
const optional = { required: false };
const { RUNNING, STARTING, PENDING, FAILED, UNHEALTHY, STOPPED, STOPPING } = ReplicaState;

describe("who waits for an environment", () => {
  it("is done when everything runs or was stopped", () => {
    expect(judgeStart(environment([service("a", RUNNING), service("b", STOPPED, { isStopped: true })]))).toBe("ready");
  });

  it.each([STARTING, PENDING, UNHEALTHY, STOPPING])("waits on while what is required is in state %i", (state) => {
    expect(judgeStart(environment([service("a", RUNNING), service("b", state)]))).toBe("going");
  });

  it("waits on while replicas still follow, although all of them run", () => {
    const rolling = environment([service("a", RUNNING)], { state: EnvironmentState.CONVERGING });
    expect(judgeStart(rolling)).toBe("going");
  });

  it("has lost when nothing runs of what is required, but not when one of several replicas failed", () => {
    const several = { replicas: 3, running: 2 };
    expect(judgeStart(environment([service("a", FAILED)]))).toBe("failed");
    expect(judgeStart(environment([service("a", FAILED, several)]))).toBe("going");
  });

  it("has lost when what a required service depends on failed, required or not", () => {
    const shop = environment([
      service("cache", FAILED, optional),
      service("page", STARTING, { dependsOn: ["cache"] }),
      service("other", RUNNING),
    ]);
    expect(judgeStart(shop)).toBe("failed");
    expect(failedServices(shop).map(({ name }) => name)).toEqual(["cache"]);
  });

  it("has enough when only what is not required is broken, or waits for what is", () => {
    const shop = environment([
      service("page", RUNNING),
      service("zookeeper", FAILED, optional),
      service("kafka", STARTING, { ...optional, dependsOn: ["zookeeper"] }),
    ]);
    expect(judgeStart(shop)).toBe("partial");
    expect(stuckServices(shop).map(({ name }) => name)).toEqual(["zookeeper", "kafka"]);
    const starting = [...shop.services, create(ServiceSchema, service("mail", STARTING, optional))];
    expect(judgeStart(environment(starting))).toBe("going");
  });

  it("is told of a roll-out that stands still", () => {
    expect(judgeStart(environment([service("a", RUNNING)], { pausedReason: "replica 2 failed" }))).toBe("paused");
  });

  it("takes what was asked for by name as required, and leaves the rest alone", () => {
    const shop = environment([service("page", FAILED), service("mail", RUNNING, optional), service("old", STARTING)]);
    expect(judgeStart(shop, new Set(["mail"]))).toBe("ready");
    expect(judgeStart(environment([service("mail", FAILED, optional)]), new Set(["mail"]))).toBe("failed");
  });

  it("knows when services are stopped", () => {
    const shop = environment([service("a", STOPPED), service("b", STOPPING)]);
    expect([isStopped(shop, new Set(["a"])), isStopped(shop)]).toEqual([true, false]);
  });
});
