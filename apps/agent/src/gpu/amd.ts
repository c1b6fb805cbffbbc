import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { canonicalBusId, type FoundGpu, type VendorAnswer } from "./found.ts";
import type { RunProgram } from "./program.ts";

export interface AmdOptions {
  run: RunProgram;
  /** Where /sys and /dev are: `/`, but for tests. */
  root: string;
}

/** Lists the AMD GPUs by rocm-smi, whose names for things differ between versions in more than their case. */
export async function findAmdGpus({ run, root }: AmdOptions): Promise<VendorAnswer> {
  const answer = await run(query);
  if (answer.state === "missing") return { gpus: [], isListed: true, problems: [], troubles: [] };
  if (answer.state === "unknown") return unlisted(answer.problem);
  // Warnings go to stderr, but those of the libraries below it may stand before the JSON.
  const cards = readJson(answer.stdout.slice(answer.stdout.indexOf("{")));
  const said = `${answer.stdout}\n${answer.stderr}`.trim();
  if (cards === undefined) {
    if (/no json data to report/i.test(said)) return { gpus: [], isListed: true, problems: [], troubles: [] };
    return unlisted(`rocm-smi failed: ${said || `exit code ${answer.exitCode}`}`);
  }
  const driver = valueOf(foldKeys(cards["system"]), "driver version") ?? "";
  const gpus: FoundGpu[] = [];
  for (const [name, facts] of Object.entries(cards)) {
    const index = /^card(\d+)$/.exec(name)?.[1];
    if (index !== undefined) gpus.push(await gpuOf({ facts: foldKeys(facts), index: Number(index), driver, root }));
  }
  return { gpus: distinguish(gpus), isListed: true, problems: [], troubles: [] };
}

const query = [
  "--showid",
  "--showproductname",
  "--showuniqueid",
  "--showbus",
  "--showmeminfo",
  "vram",
  "--showuse",
  "--showdriverversion",
  "--json",
];

type Facts = ReadonlyMap<string, string>;

async function gpuOf({ facts, index, driver, root }: { facts: Facts; index: number; driver: string; root: string }) {
  const bus = valueOf(facts, "pci bus");
  const busId = bus === undefined ? undefined : canonicalBusId(bus);
  const totalBytes = Number(valueOf(facts, "vram total memory (b)") ?? NaN);
  const usedBytes = Number(valueOf(facts, "vram total used memory (b)") ?? NaN);
  const utilizationPercent = Number(valueOf(facts, "gpu use (%)") ?? NaN);
  const isUsable = totalBytes > 0;
  return {
    uuid: uuidOf(facts, busId, index),
    kind: "whole" as const,
    vendor: "amd" as const,
    index,
    model: modelOf(facts),
    memoryMib: isUsable ? Math.floor(totalBytes / mib) : 0,
    driver,
    slotCount: 1,
    ...(usedBytes >= 0 && { usedMib: Math.floor(usedBytes / mib) }),
    ...(utilizationPercent >= 0 && { utilizationPercent }),
    isUsable,
    ...(!isUsable && { evidence: "rocm-smi does not tell the size of its memory." }),
    ...(busId !== undefined && { busId }),
    ...(await nodesOf(root, busId)),
  };
}

const mib = 1024 * 1024;

// The runtime's own spelling, which ROCR_VISIBLE_DEVICES understands: 16 digits. Consumer cards may have no such id.
function uuidOf(facts: Facts, busId: string | undefined, index: number): string {
  const unique = /^(?:0x)?([0-9a-f]+)$/i.exec(valueOf(facts, "unique id") ?? "")?.[1];
  if (unique !== undefined && /[1-9a-f]/i.test(unique)) return `GPU-${unique.toLowerCase().padStart(16, "0")}`;
  return `GPU-amd-${busId ?? index}`;
}

// Since version 6 the series may be a number or missing, and the device has a name instead.
function modelOf(facts: Facts): string {
  const names = ["card series", "device name", "card model", "card sku"].map((key) => valueOf(facts, key));
  return names.find((name) => name !== undefined && !/^0x[0-9a-f]+$/i.test(name)) ?? "AMD GPU";
}

async function nodesOf(root: string, busId: string | undefined) {
  const folder = join(root, `sys/bus/pci/devices/${busId ?? "none"}/drm`);
  const render = (await readdir(folder).catch(() => [])).find((name) => /^renderD\d+$/.test(name));
  if (render === undefined) return { deviceNodes: [], deviceGroups: [] };
  const deviceNodes = ["/dev/kfd", `/dev/dri/${render}`];
  const stats = await Promise.all(deviceNodes.map((path) => stat(join(root, path)).catch(() => undefined)));
  if (stats.includes(undefined)) return { deviceNodes: [], deviceGroups: [] };
  // By number: the names "video" and "render" need not exist in an image.
  const groups = stats.flatMap((one) => (one && one.gid !== 0 ? [one.gid] : []));
  return { deviceNodes, deviceGroups: [...new Set(groups)] };
}

// The partitions of one Instinct card share its unique id.
function distinguish(gpus: readonly FoundGpu[]): FoundGpu[] {
  const groups = Map.groupBy(gpus, ({ uuid }) => uuid);
  return gpus.map((gpu) => {
    const group = groups.get(gpu.uuid) ?? [];
    return group.length < 2 ? gpu : { ...gpu, uuid: `${gpu.uuid}/${group.indexOf(gpu)}` };
  });
}

function foldKeys(facts: unknown): Facts {
  const entries = typeof facts === "object" && facts !== null ? Object.entries(facts) : [];
  return new Map(entries.map(([key, value]) => [key.toLowerCase().replace(/:$/, ""), String(value).trim()]));
}

function valueOf(facts: Facts, key: string): string | undefined {
  const value = facts.get(key);
  return value === undefined || /^(n\/a|unsupported|unknown|)$/i.test(value) ? undefined : value;
}

function readJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function unlisted(problem: string): VendorAnswer {
  return { gpus: [], isListed: false, problems: [problem], troubles: [] };
}
