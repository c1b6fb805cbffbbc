import { describe, expect, it } from "vitest";
import type { RestartPolicy } from "./environment/declaration.ts";
import { givenUp } from "./environment/replica-start.ts";
import { compatServiceStatus, createStartStory, type ServiceNow } from "./compat-service.ts";

const now = (name: string, state: ServiceNow["state"], more: Partial<ServiceNow> = {}): ServiceNow => ({
  name,
  isRequired: true,
  dependsOn: [],
  state,
  message: `${name} ${state}`,
  progress: 0,
  ...more,
});

const setup = (...names: string[]) => createStartStory({ names, failedMs: 5_000, pendingMs: 60_000 });

describe("the story of a start", () => {
  it("tells progress once each, up to 99, and the end with 100", () => {
    const story = setup("a");
    const pulling = now("a", "starting", { message: "Pulls.", progress: 40 });
    expect(story.look([pulling], 0)).toEqual([
      { serviceName: "a", status: "starting", message: "Pulls.", progress: 40 },
    ]);
    expect(story.look([pulling], 100)).toEqual([]);
    expect(story.look([{ ...pulling, progress: 100 }], 200)).toMatchObject([{ progress: 99 }]);
    expect(story.isTold()).toBe(false);
    expect(story.look([now("a", "running")], 300)).toMatchObject([{ status: "running", progress: 100 }]);
    expect(story.look([now("a", "failed")], 9_000)).toEqual([]);
    expect([story.isTold(), story.failures()]).toEqual([true, []]);
  });

  it("takes a failure for the end only when it lasts", () => {
    const story = setup("a");
    expect(story.look([now("a", "failed")], 0)).toMatchObject([{ status: "starting", message: "a failed" }]);
    expect(story.look([now("a", "starting")], 4_000)).toMatchObject([{ status: "starting" }]);
    story.look([now("a", "failed")], 4_500);
    expect(story.look([now("a", "failed")], 9_000)).toEqual([]);
    expect(story.look([now("a", "failed")], 9_500)).toMatchObject([{ status: "failed", progress: 100 }]);
    expect(story.failures()).toEqual([{ name: "a", message: "a failed" }]);
  });

  it("takes the word of a node that has given up at once", () => {
    const end = (trouble: string, restart: RestartPolicy) => {
      const story = setup("a");
      story.look([now("a", "failed", { message: `Replica 2: ${givenUp(trouble, restart)}` })], 0);
      return story.isTold();
    };
    const restart = { when: "always", baseDelaySeconds: 1, maxDelaySeconds: 1 } as const;
    expect(end("Ended with exit code 1.", { ...restart, maxRestarts: 3 })).toBe(true);
    expect(end("no image", { ...restart, maxRestarts: 0 })).toBe(true);
    const story = setup("a");
    story.look([now("a", "failed", { message: "Ended with exit code 1. Its restart policy lets it rest." })], 0);
    expect(story.failures()).toMatchObject([{ name: "a" }]);
    const trying = setup("a");
    trying.look([now("a", "failed", { message: "Ended with exit code 1. Next try in 2 s." })], 0);
    expect(trying.isTold()).toBe(false);
  });

  it("gives up what depends on something that failed", () => {
    const story = setup("a", "b");
    const services = [
      now("a", "failed", { isRequired: false }),
      now("b", "starting", { dependsOn: ["a"], isRequired: true }),
    ];
    story.look(services, 0);
    expect(story.look(services, 5_000)).toMatchObject([
      { serviceName: "a", status: "failed" },
      { serviceName: "b", status: "failed", message: "It waits for a, which has failed." },
    ]);
    expect(story.failures()).toMatchObject([{ name: "b" }]);
  });

  it("waits a while for a node, and calls one unhealthy that stays so", () => {
    const story = setup("a", "b");
    const services = [now("a", "pending"), now("b", "unhealthy")];
    story.look(services, 0);
    expect(story.look(services, 5_000)).toMatchObject([{ serviceName: "b", status: "unhealthy", progress: 100 }]);
    expect(story.look(services, 60_000)).toMatchObject([{ serviceName: "a", status: "failed", message: "a pending" }]);
    expect(story.failures()).toMatchObject([{ name: "a" }]);
  });

  it("tells only of what was asked for, and when some of it is told", () => {
    const story = setup("a", "b");
    expect(story.look([now("a", "running"), now("c", "running")], 0)).toHaveLength(1);
    expect([story.isTold(["a"]), story.isTold()]).toEqual([true, false]);
  });
});

it("has one of five words for every state", () => {
  const states = ["pending", "starting", "running", "unhealthy", "stopping", "stopped", "failed", "unknown"] as const;
  expect(states.map(compatServiceStatus)).toEqual([
    "starting",
    "starting",
    "running",
    "unhealthy",
    "stopped",
    "stopped",
    "failed",
    "unhealthy",
  ]);
});
