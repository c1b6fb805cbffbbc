import { describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createGpuWatch, type GpuHolder, type GpuLoss, type LostGpu } from "./watch.ts";

/** A host whose GPUs are lost or well as the test says. */
function setup({ ask }: { ask?: GpuHolder["ask"] } = {}) {
  const host = { lost: [] as LostGpu[], looks: 0, isAway: false };
  const cordoned: string[] = [];
  const told: GpuLoss[] = [];
  const losses: GpuLoss[] = [];
  const watch = createGpuWatch({
    async look() {
      host.looks += 1;
      await watch.tell(host.lost);
    },
    async cordon({ uuid }) {
      if (host.isAway) throw new Error("the database is away");
      cordoned.push(uuid);
    },
    log: createLog({ app: "test", level: "silent" }),
  });
  watch.subscribe((loss) => void told.push(loss));
  const hold = watch.hold({
    gpus: ["GPU-aa"],
    name: "task",
    onLost: (loss) => void losses.push(loss),
    ...(ask && { ask }),
  });
  return { host, watch, hold, cordoned, told, losses };
}

const gone = { uuid: "GPU-aa", evidence: "it fell off the bus" };
const recreate = "Failed to initialize NVML: Unknown Error\n";

describe("the watch over those who hold GPUs", () => {
  it("believes the host: a sign of a lost GPU that it confirms cordons it and ends its holder", async () => {
    const { host, hold, cordoned, losses, told } = setup();
    host.lost = [gone];
    hold.hear("CUDA error: unspecified launch ");
    expect(host.looks).toBe(0);
    hold.hear("failure\n");
    expect(await hold.settle()).toEqual({ ...gone, action: "cordon" });
    expect({ cordoned, losses, told }).toEqual({
      cordoned: ["GPU-aa"],
      losses: [{ ...gone, action: "cordon" }],
      told: [{ ...gone, action: "cordon" }],
    });
  });

  it("does nothing about what a program writes while the host says that all is well, and looks only once", async () => {
    const { host, hold, losses, cordoned } = setup();
    hold.hear("GPU is lost\nGPU is lost\n");
    hold.hear("GPU is lost\n");
    expect(await hold.settle()).toBeUndefined();
    expect({ looks: host.looks, losses, cordoned }).toEqual({ looks: 1, losses: [], cordoned: [] });
  });

  it("ends a container that lost the way to its GPU, and cordons nothing", async () => {
    const output = "Failed to initialize NVML: Unknown Error";
    const { hold, losses, cordoned } = setup({ ask: async () => ({ exitCode: 255, output }) });
    hold.hear(recreate);
    expect(await hold.settle()).toEqual({ uuid: "GPU-aa", evidence: output, action: "recreate" });
    expect(losses).toHaveLength(1);
    expect(cordoned).toEqual([]);
  });

  it("leaves a container alone whose own nvidia-smi lists its GPU, and goes by the sign where there is none", async () => {
    const well = setup({ ask: async () => ({ exitCode: 0, output: "GPU 0: NVIDIA L4 (UUID: GPU-aa)" }) });
    well.hold.hear(recreate);
    expect(await well.hold.settle()).toBeUndefined();
    const unknown = setup({ ask: async () => ({ exitCode: 127, output: "not found" }) });
    unknown.hold.hear(recreate);
    expect(await unknown.hold.settle()).toMatchObject({ action: "recreate", evidence: recreate.trim() });
  });

  it("asks containers by itself, whose programs have not noticed that their devices are gone", async () => {
    let output = "GPU 0: NVIDIA L4 (UUID: GPU-aa)";
    const { watch, losses } = setup({ ask: async () => ({ exitCode: output.startsWith("GPU") ? 0 : 255, output }) });
    await watch.probe();
    expect(losses).toEqual([]);
    output = "Failed to initialize NVML: Unknown Error";
    await watch.probe();
    await watch.probe();
    expect(losses).toEqual([{ uuid: "GPU-aa", evidence: output, action: "recreate" }]);
  });

  it("ends all who hold a GPU that a look found lost, each once, and nobody else", async () => {
    const { watch, losses } = setup();
    const others: string[] = [];
    watch.hold({ gpus: ["GPU-aa"], name: "shares it", onLost: () => void others.push("shares it") });
    watch.hold({ gpus: ["GPU-bb"], name: "has another", onLost: () => void others.push("has another") });
    watch.hold({ gpus: ["GPU-aa"], name: "has ended", onLost: () => void others.push("has ended") }).release();
    await watch.tell([gone]);
    await watch.tell([gone]);
    expect(losses).toHaveLength(1);
    expect(others).toEqual(["shares it"]);
  });

  it("tells the control plane of a lost GPU as soon as it answers, though its work is stopped before", async () => {
    const { host, watch, losses, cordoned } = setup();
    host.isAway = true;
    await watch.tell([gone]);
    expect({ losses: losses.length, cordoned }).toEqual({ losses: 1, cordoned: [] });
    host.isAway = false;
    await watch.tell([gone]);
    expect(cordoned).toEqual(["GPU-aa"]);
    await watch.tell([gone]);
    expect(cordoned).toEqual(["GPU-aa"]);
  });

  it("cordons nothing that nobody holds: what the host lists is enough", async () => {
    const { watch, cordoned, told } = setup();
    await watch.tell([{ uuid: "GPU-bb", evidence: "gone" }]);
    expect(cordoned).toEqual([]);
    expect(told).toMatchObject([{ uuid: "GPU-bb", action: "cordon" }]);
  });
});
