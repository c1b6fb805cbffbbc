import { describe, expect, it, onTestFinished } from "vitest";
import type { WantedReplica } from "@drover/db/node/replica";
import { findTestEngine } from "../docker/testing.ts";
import { containerName, resourceName } from "./name.ts";
import { clearNode, startTestAgent, type TestAgentOptions, uniqueName, wantReplica } from "./testing.ts";

const found = await findTestEngine();

/** One engine, and a node name that several installations use for their node on it. */
function setup() {
  if (found.missing !== undefined) throw new Error(found.missing);
  const { docker, host } = found;
  const holder = uniqueName("node");
  onTestFinished(() => clearNode(host, holder));
  const agentOf = (installation: string | undefined, options: Partial<TestAgentOptions> = {}) =>
    startTestAgent({ host, holder, periodMs: 50, ...options, rules: { installation: () => installation } });
  const inspect = (replica: WantedReplica) => docker.getContainer(containerName(replica)).inspect();
  const networks = async () => {
    const all = await docker.listNetworks({ filters: { label: [`drover.holder=${holder}`] } });
    return all.map(({ Name }) => Name).toSorted();
  };
  const want = (options: Parameters<typeof wantReplica>[0] = {}) =>
    wantReplica({ environment: uniqueName("env"), ...options });
  const defaultNetwork = (replica: WantedReplica) => resourceName(replica, { name: "default" });
  return { docker, holder, agentOf, inspect, networks, want, defaultNetwork };
}

describe.skipIf(found.missing !== undefined)(`two installations on one engine ${found.missing ?? ""}`, () => {
  it("leave each other's containers and networks alone, though their nodes have one name", async () => {
    const { agentOf, want, inspect, networks, defaultNetwork } = setup();
    const [ours, theirs] = [want(), want()];
    const first = await agentOf("one");
    first.reconciler.desire([ours]);
    await expect.poll(() => first.said(ours)?.state).toBe("running");
    const second = await agentOf("two");
    second.reconciler.desire([theirs]);
    await expect.poll(() => second.said(theirs)?.state).toBe("running");
    const labels = await Promise.all([ours, theirs].map(async (one) => (await inspect(one)).Config.Labels));
    expect(labels.map((one) => one["drover.installation"])).toEqual(["one", "two"]);

    const startedAt = (await inspect(ours)).State.StartedAt;
    expect(await networks()).toEqual([ours, theirs].map(defaultNetwork).toSorted());
    second.reconciler.desire([]);
    await expect.poll(networks).toEqual([defaultNetwork(ours)]);
    expect((await inspect(ours)).State).toMatchObject({ Running: true, StartedAt: startedAt });

    first.reconciler.desire([]);
    await expect.poll(networks).toEqual([]);
  });

  it("say of a container, a network and a volume of the other's that their names are taken, and use none of them", async () => {
    const { docker, agentOf, want, inspect } = setup();
    const environment = uniqueName("env");
    const mounts = [{ kind: "volume" as const, volume: "data", mountPath: "/data", isReadOnly: false }];
    const ours = want({ environment, volumes: [{ name: "data" }], spec: { mounts } });
    const first = await agentOf("one");
    first.reconciler.desire([ours]);
    await expect.poll(() => first.said(ours)?.state).toBe("running");

    const second = await agentOf("two");
    const sameName = { ...want({ environment }), spec: { ...ours.spec, networks: [], volumes: [] } };
    const alone = { ...sameName.spec.service, networks: [], mounts: [] };
    const taken = { ...sameName, spec: { ...sameName.spec, service: alone } };
    const inNetwork = want({ environment, service: "client" });
    const onVolume = want({
      environment,
      service: "store",
      networks: [],
      volumes: [{ name: "data" }],
      spec: { mounts },
    });
    second.reconciler.desire([taken, inNetwork, onVolume]);
    await expect.poll(() => second.said(taken)?.message).toMatch(/is taken by a container of another installation/);
    await expect.poll(() => second.said(inNetwork)?.message).toMatch(/network .* is of another installation/);
    await expect.poll(() => second.said(onVolume)?.message).toMatch(/volume .* was made by another installation/);
    expect((await inspect(ours)).State.Running).toBe(true);

    const volume = resourceName(ours, { name: "data" });
    const declared = [{ name: volume, isExternal: true }];
    const outside = [{ ...mounts[0], kind: "volume" as const, volume, mountPath: "/data", isReadOnly: false }];
    const meant = want({ networks: [], volumes: declared, spec: { mounts: outside } });
    second.reconciler.desire([meant]);
    await expect.poll(() => second.said(meant)?.state).toBe("running");
    second.reconciler.desire([]);
    await expect.poll(async () => inspect(meant).catch(() => "gone")).toBe("gone");
    expect((await docker.getVolume(volume).inspect()).Labels).toMatchObject({ "drover.installation": "one" });
  });

  it("count as their node's what was made before installations had names", async () => {
    const { agentOf, want, inspect } = setup();
    const before = await agentOf(undefined);
    const [kept, lost] = [want(), want()];
    before.reconciler.desire([kept, lost]);
    await expect.poll(() => [before.said(kept)?.state, before.said(lost)?.state]).toEqual(["running", "running"]);
    const { Id: id, State: state } = await inspect(kept);
    await before.stop();
    const after = await agentOf("one");
    after.reconciler.desire([kept]);
    await expect.poll(() => after.said(kept)?.containerId).toBe(id);
    expect((await inspect(kept)).State.StartedAt).toBe(state.StartedAt);
    await expect.poll(async () => inspect(lost).catch(() => "gone")).toBe("gone");
  });

  it("hold their policy for a disconnection before the first answer by what they remember, each for its own", async () => {
    const { agentOf, want, inspect } = setup();
    const onDisconnect = { kind: "stop" as const, afterSeconds: 0.1 };
    const [ours, theirs, older] = [
      want({ spec: { onDisconnect } }),
      want({ spec: { onDisconnect } }),
      want({ spec: { onDisconnect } }),
    ];
    for (const [installation, replica] of [
      ["one", ours],
      ["two", theirs],
      [undefined, older],
    ] as const) {
      const agent = await agentOf(installation);
      agent.reconciler.desire([replica]);
      await expect.poll(() => agent.said(replica)?.state).toBe("running");
      await agent.stop();
    }
    const isUp = async (replica: WantedReplica) => (await inspect(replica)).State.Running;
    // One that was never told which it is: of what names an installation it touches nothing.
    const stranger = await agentOf(undefined);
    await expect.poll(() => isUp(older)).toBe(false);
    expect([await isUp(ours), await isUp(theirs)]).toEqual([true, true]);
    await stranger.stop();
    await agentOf("one");
    await expect.poll(() => isUp(ours)).toBe(false);
    expect(await isUp(theirs)).toBe(true);
  });
});
