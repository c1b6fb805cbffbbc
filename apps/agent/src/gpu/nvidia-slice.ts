import type { VendorAnswer } from "./found.ts";
import { migNodes } from "./nvidia-node.ts";
import { readSliceDescriptions, readSliceList } from "./nvidia-text.ts";
import { exitMeaning } from "./nvidia-trouble.ts";
import type { RunProgram } from "./program.ts";

/** A GPU with MIG on cannot be used as a whole: its slices stand in its place. */
export async function findSlices({
  run,
  root,
  whole,
  partitioned,
}: {
  run: RunProgram;
  root: string;
  whole: VendorAnswer;
  /** UUIDs of the GPUs with MIG on. */
  partitioned: ReadonlySet<string>;
}): Promise<VendorAnswer> {
  const gpus = whole.gpus.filter(({ uuid }) => !partitioned.has(uuid));
  const troubles = [...whole.troubles];
  const list = await run(["-L"]);
  const listed = list.state === "ended" ? readSliceList(list.stdout) : [];
  if (list.state !== "ended" || (list.exitCode !== 0 && listed.length === 0)) {
    // Nothing is known of the slices now, so that none may be taken for gone.
    const why = list.state === "ended" ? `${list.stdout.trim()}${exitMeaning(list.exitCode)}` : "it did not answer.";
    return { gpus, isListed: false, problems: [...whole.problems, `nvidia-smi -L failed: ${why}`], troubles };
  }
  const detail = await run(["-q", "-x"]);
  const described = readSliceDescriptions(detail.state === "ended" ? detail.stdout : "");
  for (const parent of whole.gpus.filter(({ uuid }) => partitioned.has(uuid))) {
    const slices = listed.filter(({ gpuIndex }) => gpuIndex === parent.index);
    if (slices.length === 0) troubles.push({ uuid: parent.uuid, evidence: "MIG is on and it has no slices." });
    for (const { uuid, profile, device } of slices) {
      const facts = described.get(`${parent.uuid}/${device}`);
      // What is in use is told of the whole GPU only.
      const { usedMib: _used, utilizationPercent: _utilization, ...rest } = parent;
      gpus.push({
        ...rest,
        uuid,
        kind: "mig",
        profile,
        parentUuid: parent.uuid,
        memoryMib: facts?.memoryMib ?? nominalMib(profile),
        deviceNodes: facts ? await migNodes(root, parent.deviceNodes, facts) : [],
      });
    }
  }
  return { ...whole, gpus, troubles };
}

// What the profile's name promises; a slice really has about 3 % less.
function nominalMib(profile: string): number {
  return Number(/\.(\d+)gb/.exec(profile)?.[1] ?? 0) * 1024;
}
