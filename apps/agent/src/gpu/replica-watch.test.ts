import { describe, expect, it, onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createEngine } from "../docker/engine.ts";
import { findTestEngine, testImage } from "../docker/testing.ts";
import { temporaryFolder } from "../executor/testing.ts";
import { createReplicaWatch } from "./replica-watch.ts";
import { createGpuWatch, type LostGpu } from "./watch.ts";

const found = await findTestEngine();
const log = createLog({ app: "test", level: "silent" });

/** A container of a replica that holds a GPU, with a program of this name in it that tells of the GPU. */
async function setup(nvidiaSmi: string) {
  if (found.missing !== undefined) throw new Error(found.missing);
  const { docker } = found;
  const holder = `test-${temporaryFolder().slice(-6)}`;
  const container = await docker.createContainer({
    Image: testImage,
    Cmd: ["sh", "-c", `printf '#!/bin/sh\\n${nvidiaSmi}\\n' > /bin/nvidia-smi; chmod +x /bin/nvidia-smi; sleep 60`],
    Labels: { "drover.holder": holder, "drover.replica": "1", "drover.gpus": "GPU-aa" },
    HostConfig: { NetworkMode: "none" },
  });
  onTestFinished(async () => void (await container.remove({ force: true }).catch(() => undefined)));
  await container.start();
  const engine = createEngine({ docker });
  const isThere = async () => {
    const answer = await engine.runInside(container.id, ["test", "-x", "/bin/nvidia-smi"]);
    return answer.ok && answer.value.exitCode === 0;
  };
  await expect.poll(isThere).toBe(true);
  const host = { lost: [] as LostGpu[], cordoned: [] as string[] };
  const watch = createGpuWatch({
    look: () => watch.tell(host.lost),
    cordon: async ({ uuid }) => void host.cordoned.push(uuid),
    log,
  });
  const look = async () => (await engine.look(container.id)).state;
  return { host, watch, look, round: createReplicaWatch({ engine, owner: { holder }, watch, log }) };
}

describe.skipIf(found.missing !== undefined)(`the watch over replicas with GPUs ${found.missing ?? ""}`, () => {
  it("removes a container that lost the way to its GPU, so that it is made anew", async () => {
    const { round, look } = await setup("echo Failed to initialize NVML: Unknown Error; exit 255");
    await expect
      .poll(async () => {
        await round();
        return look();
      })
      .toBe("missing");
  });

  it("leaves one alone that reaches its GPU, and cordons the GPU under it once the host has lost it", async () => {
    const { host, watch, round, look } = await setup("echo GPU 0: NVIDIA L4 \\(UUID: GPU-aa\\)");
    await round();
    await round();
    expect(await look()).toBe("running");
    await watch.tell([{ uuid: "GPU-aa", evidence: "gone" }]);
    expect(host.cordoned).toEqual(["GPU-aa"]);
    expect(await look()).toBe("running");
  });
});
