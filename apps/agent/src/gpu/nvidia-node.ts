import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalBusId } from "./found.ts";
import type { DescribedSlice } from "./nvidia-text.ts";

/** A GPU as the kernel's driver tells of it, whether or not NVML can reach it. */
export interface DriverGpu {
  busId: string;
  minor: string;
  /** Undefined where the driver could never read it: `GPU-????????-…`. */
  uuid?: string;
}

/** The GPUs below /proc/driver/nvidia/gpus, which does not ask the hardware. */
export async function driverGpus(root: string): Promise<DriverGpu[]> {
  const folder = join(root, "proc/driver/nvidia/gpus");
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names
      .toSorted((one, other) => one.localeCompare(other))
      .map(async (name) => {
        const text = await readFile(join(folder, name, "information"), "utf8").catch(() => "");
        const uuid = /^GPU UUID:\s*(GPU-[0-9a-f-]+)\s*$/im.exec(text)?.[1];
        const minor = /^Device Minor:\s*(\d+)/im.exec(text)?.[1] ?? "";
        return { busId: canonicalBusId(name), minor, ...(uuid !== undefined && { uuid }) };
      }),
  );
}

/** The device nodes that a container with this GPU needs; the GPU's number there is its minor, not its index. */
export async function wholeNodes(root: string, busId: string): Promise<string[]> {
  const minor = (await driverGpus(root)).find((gpu) => gpu.busId === busId)?.minor ?? "";
  const own = `/dev/nvidia${minor}`;
  if (minor === "" || !(await isThere(root, own))) return [];
  return [own, ...(await existing(root, commonNodes))];
}

/** The device nodes of a slice: those of its GPU, and the capabilities that open its two instances. */
export async function migNodes(root: string, whole: readonly string[], slice: DescribedSlice): Promise<string[]> {
  const minor = /^\/dev\/nvidia(\d+)$/.exec(whole[0] ?? "")?.[1];
  if (minor === undefined) return [];
  const table = await readFile(join(root, "proc/driver/nvidia-caps/mig-minors"), "utf8").catch(() => "");
  const gpuInstance = `gpu${minor}/gi${slice.gpuInstance}`;
  const capabilities = [`${gpuInstance}/access`, `${gpuInstance}/ci${slice.computeInstance}/access`].flatMap((name) => {
    const line = table.split("\n").find((text) => text.startsWith(`${name} `));
    return line === undefined ? [] : [`/dev/nvidia-caps/nvidia-cap${line.slice(name.length + 1).trim()}`];
  });
  const found = await existing(root, capabilities);
  return found.length === 2 ? [...whole, ...found] : [];
}

const commonNodes = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"];

async function existing(root: string, paths: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(paths.map((path) => isThere(root, path)));
  return paths.filter((_, position) => answers[position]);
}

function isThere(root: string, path: string): Promise<boolean> {
  return access(join(root, path)).then(
    () => true,
    () => false,
  );
}
