import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { absenceOf } from "./service-replica.ts";
import { openTestEnvironments, type TestEnvironments } from "./testing-environment.ts";

let house: TestEnvironments;
beforeAll(async () => {
  house = await openTestEnvironments();
  const services = "{redis: {image: redis:7}, page: {image: page:1}}";
  await house.client.applyEnvironment({ source: `{drover: environment/v1, name: shop, services: ${services}}` });
});
afterAll(() => house.api.close());

describe("logs of what is not there", () => {
  const logs = async (request: { environment: string; service: string; replica?: number }) => {
    for await (const _ of house.client.streamServiceLogs(request));
  };

  it("are refused in the words in which everything else is, with what was probably meant", async () => {
    await expect(logs({ environment: "shpo", service: "redis" })).rejects.toThrow(
      'Environment "shpo" does not exist. Did you mean "shop"?',
    );
    await expect(logs({ environment: "shop", service: "redsi" })).rejects.toThrow(
      'Environment "shop" has no service "redsi". Did you mean "redis"?',
    );
    await expect(logs({ environment: "shop", service: "nobody" })).rejects.toThrow("Its services: page, redis.");
    await expect(logs({ environment: "shop", service: "page", replica: 7 })).rejects.toThrow(
      'Service "page" of "shop" has no container: it has no replica 7.',
    );
  });
});

describe("the reason why a replica has no container", () => {
  const row = {
    service: "page",
    replica_id: "1",
    number: 2,
    wanted: "running" as const,
    holder_id: 1,
    node: "a",
    has_health: false,
    state: "starting" as const,
    message: "Waits for redis, which it depends on.",
    container_id: null,
  };

  it("is part of a sentence, whatever its node has said", () => {
    expect(absenceOf(row)).toBe('replica 2 on node "a" is starting: Waits for redis, which it depends on');
    expect(absenceOf({ ...row, holder_id: null, node: null })).toBe("replica 2 is not placed on a node yet");
    expect(absenceOf({ ...row, holder_id: null, wanted: "stopped" })).toBe("replica 2 is stopped");
  });
});
