import { describe, expect, it, onTestFinished } from "vitest";
import { findTestEngine } from "../docker/testing.ts";
import { resourceName } from "./name.ts";
import { clearNode, startTestAgent, uniqueName, wantReplica } from "./testing.ts";

const found = await findTestEngine();

/** Two networks of one name, as an engine makes them that is asked twice at once; of the newer ones the labels are given. */
async function setup(labels: Record<string, string> = {}) {
  if (found.missing !== undefined) throw new Error(found.missing);
  const { docker, host } = found;
  const holder = uniqueName("node");
  onTestFinished(() => clearNode(host, holder));
  const web = wantReplica({ environment: uniqueName("env") });
  const name = resourceName(web, { name: "default" });
  const own = { "drover.holder": holder, "drover.network": "default" };
  const make = async (Labels: Record<string, string>) => {
    const { id } = await docker.createNetwork({ Name: name, CheckDuplicate: false, Labels });
    onTestFinished(
      async () =>
        void (await docker
          .getNetwork(id)
          .remove()
          .catch(() => undefined)),
    );
    return id;
  };
  const ids = [await make(own), await make({ ...own, ...labels })];
  const named = async () => {
    const all = await docker.listNetworks({ filters: { name: [name] } });
    return all.map(({ Id }) => Id);
  };
  const { reconciler, said } = await startTestAgent({ host, holder });
  const networkOf = async () => {
    const containers = await docker.listContainers({
      filters: { label: [`drover.holder=${holder}`, `drover.replica=${web.id}`] },
    });
    return containers.flatMap(({ NetworkSettings: { Networks } }) =>
      Object.values(Networks).map(({ NetworkID }) => NetworkID),
    );
  };
  return { docker, web, ids, named, reconciler, said, networkOf };
}

describe.skipIf(found.missing !== undefined)(`two networks of one name ${found.missing ?? ""}`, () => {
  it("become one where the other one is ours and without containers", async () => {
    const { web, ids, named, reconciler, said, networkOf } = await setup();
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.state).toBe("running");
    expect(await named()).toHaveLength(1);
    expect(ids).toContain((await named())[0]);
    expect(await networkOf()).toEqual(await named());
  });

  it("are told apart by their ids where the other one is somebody else's", async () => {
    const { docker, web, ids, named, reconciler, said, networkOf } = await setup({ "drover.holder": "somebody-else" });
    reconciler.desire([web]);
    await expect.poll(() => said(web)?.state).toBe("running");
    expect((await named()).toSorted()).toEqual(ids.toSorted());
    const [used] = await networkOf();
    expect(ids).toContain(used);
    // It is found in it by name, and no change by hand is seen in that.
    const { Aliases: aliases } =
      Object.values((await docker.getContainer(said(web)?.containerId ?? "").inspect()).NetworkSettings.Networks)[0] ??
      {};
    expect(aliases).toEqual(expect.arrayContaining(["web", "web-1"]));
    expect(said(web)?.message).toBe("");
    // A container that is started again is in the same one.
    await docker.getContainer(said(web)?.containerId ?? "").kill();
    await expect.poll(() => said(web)).toMatchObject({ state: "running", restarts: 1 });
    expect(await networkOf()).toEqual([used]);
  });
});
