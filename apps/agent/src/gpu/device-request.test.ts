import { existsSync } from "node:fs";
import type Docker from "dockerode";
import { describe, expect, it } from "vitest";
import { findTestEngine, testImage } from "../docker/testing.ts";
import { gpuEnvironment, gpuRequest, readGpuLabel } from "./device-request.ts";

const nvidia = { vendor: "nvidia" as const, deviceNodes: ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"] };
const amd = { vendor: "amd" as const, deviceNodes: ["/dev/kfd", "/dev/dri/renderD128"], deviceGroups: [44, 109] };

describe("the request for a container's GPUs", () => {
  it("names NVIDIA GPUs and slices by UUID, and their device nodes", () => {
    const request = gpuRequest({
      gpus: [
        { ...nvidia, uuid: "GPU-aa" },
        { vendor: "nvidia", uuid: "MIG-1", deviceNodes: ["/dev/nvidia1", "/dev/nvidiactl"] },
      ],
    });
    expect(request).toEqual({
      hostConfig: {
        DeviceRequests: [{ Driver: "nvidia", DeviceIDs: ["GPU-aa", "MIG-1"], Capabilities: [["gpu"]] }],
        Devices: ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"].map((path) => ({
          PathOnHost: path,
          PathInContainer: path,
          CgroupPermissions: "rwm",
        })),
      },
      env: { NVIDIA_VISIBLE_DEVICES: "GPU-aa,MIG-1" },
      labels: { "drover.gpus": "GPU-aa,MIG-1" },
    });
    expect(readGpuLabel(request.labels)).toEqual(["GPU-aa", "MIG-1"]);
  });

  it("leaves the nodes to the toolkit where that is wanted", () => {
    const { hostConfig } = gpuRequest({ gpus: [{ ...nvidia, uuid: "GPU-aa" }], hasExplicitNodes: false });
    expect(Object.keys(hostConfig)).toEqual(["DeviceRequests"]);
  });

  it("gives AMD GPUs by their nodes and groups, and by UUID only where the runtime knows it", () => {
    const request = gpuRequest({ gpus: [{ ...amd, uuid: "GPU-b24f6e1a52f31e0c" }], hasExplicitNodes: false });
    expect(request.hostConfig.DeviceRequests).toBeUndefined();
    expect(request.hostConfig.Devices?.map(({ PathOnHost }) => PathOnHost)).toEqual(amd.deviceNodes);
    expect(request.hostConfig.GroupAdd).toEqual(["44", "109"]);
    expect(request.env).toEqual({ NVIDIA_VISIBLE_DEVICES: "void", ROCR_VISIBLE_DEVICES: "GPU-b24f6e1a52f31e0c" });
    expect(gpuRequest({ gpus: [{ ...amd, uuid: "GPU-amd-0000:c4:00.0" }] }).env).not.toHaveProperty(
      "ROCR_VISIBLE_DEVICES",
    );
  });

  it("tells the share of a shared GPU's memory, the sum of two places on one", () => {
    const place = { ...nvidia, uuid: "GPU-aa", memoryMib: 8000 };
    const { env, hostConfig, labels } = gpuRequest({ gpus: [place, place] });
    expect(env["DROVER_GPU_MEMORY_MIB"]).toBe("16000");
    expect(hostConfig.DeviceRequests?.[0]?.DeviceIDs).toEqual(["GPU-aa"]);
    expect(readGpuLabel(labels)).toEqual(["GPU-aa", "GPU-aa"]);
  });

  it("hides the host's GPUs from a container and a process that were given none", () => {
    expect(gpuRequest({ gpus: [] })).toEqual({ hostConfig: {}, env: { NVIDIA_VISIBLE_DEVICES: "void" }, labels: {} });
    expect(gpuEnvironment([])).toEqual({ CUDA_VISIBLE_DEVICES: "", ROCR_VISIBLE_DEVICES: "" });
    expect(readGpuLabel({})).toEqual([]);
  });

  it("shows a process its GPUs by UUID", () => {
    expect(gpuEnvironment([{ ...nvidia, uuid: "GPU-aa", memoryMib: 4000 }])).toEqual({
      CUDA_VISIBLE_DEVICES: "GPU-aa",
      ROCR_VISIBLE_DEVICES: "",
      DROVER_GPU_MEMORY_MIB: "4000",
    });
  });
});

const engine = await findTestEngine();
// Any device that containers do not have by themselves stands for a GPU's node.
const node = ["/dev/fuse", "/dev/kmsg"].find((path) => existsSync(path));

describe.skipIf(engine.missing !== undefined || node === undefined)(`the engine ${engine.missing ?? ""}`, () => {
  async function start(gpus: Parameters<typeof gpuRequest>[0]["gpus"]) {
    if (engine.missing !== undefined) throw new Error(engine.missing);
    const { hostConfig, env, labels } = gpuRequest({ gpus });
    const container: Docker.Container = await engine.docker.createContainer({
      Image: testImage,
      Cmd: ["sh", "-c", `ls ${node}; id -G; echo "$ROCR_VISIBLE_DEVICES"`],
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      Labels: labels,
      Tty: true,
      HostConfig: { ...hostConfig, CapDrop: ["ALL"], NetworkMode: "none" },
    });
    try {
      await container.start();
      await container.wait();
      const label = (await container.inspect()).Config.Labels;
      return { output: String(await container.logs({ stdout: true })), uuids: readGpuLabel(label) };
    } finally {
      await container.remove({ force: true });
    }
  }

  it("gives a container the nodes, the groups, the variables and the label", async () => {
    const gpu = {
      vendor: "amd" as const,
      uuid: "GPU-b24f6e1a52f31e0c",
      deviceNodes: [node ?? ""],
      deviceGroups: [4711],
    };
    const { output, uuids } = await start([gpu]);
    expect(output.trim().split(/\r?\n/)).toEqual([node, expect.stringContaining("4711"), "GPU-b24f6e1a52f31e0c"]);
    expect(uuids).toEqual(["GPU-b24f6e1a52f31e0c"]);
  });

  it.skipIf(existsSync("/dev/nvidiactl"))(
    "refuses NVIDIA GPUs by name where their toolkit is not installed",
    async () => {
      await expect(start([{ vendor: "nvidia", uuid: "GPU-aa" }])).rejects.toThrow(/device driver "nvidia"|GPU-aa/);
    },
  );
});
