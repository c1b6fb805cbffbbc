import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../docker/connect.ts";
import { startDockerd, whyNoDockerd } from "../docker/testing-dockerd.ts";
import type { Treatment } from "../docker/testing-proxy.ts";
import { startEngineProxy } from "../docker/testing-proxy.ts";
import { findTestEngine } from "../docker/testing.ts";
import { containerName } from "./name.ts";
import { clearNode, startTestAgent, uniqueName, wantReplica } from "./testing.ts";

const found = await findTestEngine();
const noDockerd = whyNoDockerd();

/** Treats the first call that matches, and passes everything else. */
function first(pattern: RegExp, treatment: Treatment): (call: string) => Treatment {
  let isDone = false;
  return (call) => {
    if (isDone || !pattern.test(call)) return "pass";
    isDone = true;
    return treatment;
  };
}

function setup() {
  if (found.missing !== undefined) throw new Error(found.missing);
  const { host, docker } = found;
  const holder = uniqueName("node");
  const environment = uniqueName("env");
  onTestFinished(() => clearNode(host, holder));
  const containers = () => docker.listContainers({ all: true, filters: { label: [`drover.holder=${holder}`] } });
  return { docker, holder, containers, want: () => wantReplica({ environment }) };
}

describe.skipIf(found.missing !== undefined)(
  `replicas over an engine whose replies are lost ${found.missing ?? ""}`,
  () => {
    const socket = found.host.replace("unix://", "");

    it.each([
      ["creation", /^POST \/containers\/create/],
      ["start", /^POST \/containers\/[0-9a-f]+\/start/],
      ["list", /^GET \/containers\/json/],
      ["network's creation", /^POST \/networks\/create/],
      ["image's inspection", /^GET \/images\//],
    ])("run in one container though the reply to the %s is lost", async (_, pattern) => {
      const { holder, want, containers } = setup();
      await using proxy = await startEngineProxy(socket, first(pattern, "lose-reply"));
      const { reconciler, said } = await startTestAgent({ host: proxy.host, holder });
      const web = want();
      reconciler.desire([web]);
      await expect.poll(() => said(web)?.state).toBe("running");
      expect((await containers()).map(({ Names, State }) => [Names, State])).toEqual([
        [[`/${containerName(web)}`], "running"],
      ]);
      expect(proxy.calls.filter((call) => call.startsWith("DELETE"))).toEqual([]);
    });

    it("are left alone while the engine hangs, and neither reported nor ended", async () => {
      const { holder, want, containers } = setup();
      let isHanging = false;
      await using proxy = await startEngineProxy(socket, () => (isHanging ? "hang" : "pass"));
      const { reconciler, said, history } = await startTestAgent({ host: proxy.host, holder, periodMs: 100 });
      const web = want();
      reconciler.desire([web]);
      await expect.poll(() => said(web)?.state).toBe("running");
      isHanging = true;
      const [before, told] = [proxy.calls.length, history.length];
      reconciler.desire([]);
      await expect.poll(() => proxy.calls.length).toBeGreaterThan(before);
      expect(await containers()).toMatchObject([{ State: "running" }]);
      expect(history.slice(told)).toEqual([]);
    });
  },
);

describe.skipIf(found.missing !== undefined)("a name that somebody else has", () => {
  it("is not taken from him", async () => {
    const { docker, holder, want } = setup();
    const web = want();
    const stranger = await docker.createContainer({
      name: containerName(web),
      Image: "drover-test-busybox:1",
      Cmd: ["true"],
    });
    onTestFinished(() => stranger.remove({ force: true }));
    const { reconciler, said } = await startTestAgent({ host: found.host, holder });
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.message).toContain(`The name ${containerName(web)} is taken`);
    expect((await stranger.inspect()).State.Status).toBe("created");
  });
});

describe.skipIf(noDockerd !== undefined)(`replicas over an engine that is killed ${noDockerd ?? ""}`, () => {
  it.each([
    ["killed", "SIGKILL"],
    ["shut down in order", "SIGTERM"],
  ] as const)(
    "are left alone while it is away and run again once it is back: %s",
    async (_, signal) => {
      await using dockerd = await startDockerd();
      const holder = uniqueName("node");
      const agent = await startTestAgent({ host: dockerd.host, holder, periodMs: 200 });
      const restart = { when: "never" as const, baseDelaySeconds: 0.1, maxDelaySeconds: 1 };
      const web = wantReplica({ environment: "test", networks: [], spec: { restart } });
      agent.reconciler.desire([web]);
      await expect.poll(() => agent.said(web)?.state).toBe("running");
      const id = agent.said(web)?.containerId;
      await dockerd.kill(signal);
      // What is tried is an engine that stays away for some looks.
      await delay(1000);
      await dockerd.start();
      const docker = connect({ host: dockerd.host });
      await expect
        .poll(async () => (await docker.listContainers({ all: true })).map(({ Id, State }) => [Id, State]), {
          timeout: 20_000,
        })
        .toEqual([[id, "running"]]);
      await expect.poll(() => agent.said(web)?.state).toBe("running");
      await agent.stop();
    },
    60_000,
  );
});
