import { expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createGpuWatch, type LostGpu } from "../gpu/watch.ts";
import { createGpuHolds, type GpuUser } from "./gpu-hold.ts";

function setup(answer: { exitCode: number; output: string }) {
  const cordoned: string[] = [];
  const asked: string[] = [];
  let faults = 0;
  let lost: LostGpu[] = [];
  const watch = createGpuWatch({
    look: () => watch.tell(lost),
    cordon: async ({ uuid }) => void cordoned.push(uuid),
    log: createLog({ app: "test", level: "silent" }),
  });
  const holds = createGpuHolds({
    watch,
    engine: {
      async run(id) {
        asked.push(id);
        return { ok: true, value: answer };
      },
    },
    onFault: () => void (faults += 1),
  });
  const user: GpuUser = { replicaId: "1", name: "shop/model-1", gpus: ["GPU-1"], containerId: "c1" };
  return { watch, holds, user, cordoned, asked, faults: () => faults, loses: (gpus: LostGpu[]) => void (lost = gpus) };
}

const sign = "Failed to initialize NVML: Unknown Error";

it("has a container made anew that lost its way to a GPU which is well, until there is another container", async () => {
  const { holds, user, faults, asked, cordoned } = setup({ exitCode: 255, output: sign });
  holds.keep([user]);
  holds.hear("1", sign);
  await expect.poll(faults).toBe(1);
  expect(asked).toEqual(["c1"]);
  expect(holds.faultOf("c1")).toContain("Unknown Error");
  expect(cordoned).toEqual([]);
  holds.keep([{ ...user, containerId: "c2" }]);
  expect(holds.faultOf("c1")).toBeUndefined();
});

it("leaves a container alone that reaches its GPU", async () => {
  const { holds, user, faults, asked } = setup({ exitCode: 0, output: "GPU 0: H100 (UUID: GPU-1)" });
  holds.keep([user]);
  holds.hear("1", sign);
  await expect.poll(() => asked).toEqual(["c1"]);
  expect(faults()).toBe(0);
});

it("has a GPU cordoned that is lost while a replica holds it, and none that nobody holds any more", async () => {
  const { watch, holds, user, cordoned } = setup({ exitCode: 0, output: "" });
  holds.keep([user]);
  await watch.tell([{ uuid: "GPU-1", evidence: "Xid 79" }]);
  expect(cordoned).toEqual(["GPU-1"]);
  holds.keep([]);
  await watch.tell([]);
  await watch.tell([{ uuid: "GPU-1", evidence: "Xid 79" }]);
  expect(cordoned).toEqual(["GPU-1"]);
});
