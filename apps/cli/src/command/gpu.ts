import { DroverError } from "@drover/domain/error";
import { type Context, defineCommand } from "../command.ts";
import type { ExitCode } from "../exit.ts";
import { notAnswered } from "../fault.ts";
import { gpuColumns, gpuJson, gpuRow } from "../gpu-view.ts";
import { textOption } from "../option.ts";
import type { Gpu } from "@drover/proto/drover/node";

const uuid = { name: "UUID", doc: "The GPU, or the slice of one: GPU-... or MIG-..., or how no other one begins." };

/** `drover gpu list` */
export const gpuList = defineCommand({
  name: "gpu list",
  summary: "List the GPUs of all nodes, with who holds them.",
  positionals: [],
  options: { node: textOption({ doc: "Only those of this node.", placeholder: "NAME" }) },
  examples: [{ line: "drover gpu list --node gpu-01", meaning: "See what is free on a node" }],
  async run({ client, output, signal }, { options }) {
    const { gpus } = await client.nodes.listGpus({ node: options.node ?? "" }, { signal });
    // An empty answer does not tell whether there is such a node.
    if (options.node !== undefined && gpus.length === 0) await client.nodes.getNode({ name: options.node }, { signal });
    const who = options.node === undefined ? "No node" : `Node ${options.node}`;
    if (output.isJson) output.json(gpus.map(gpuJson));
    else if (gpus.length === 0) output.note(`${who} has found ${options.node === undefined ? "a" : "no"} GPU.`);
    else output.table(gpuColumns, gpus.map(gpuRow));
    return 0;
  },
});

/** `drover gpu cordon` */
export const gpuCordon = defineCommand({
  name: "gpu cordon",
  summary: "Place nothing more on a GPU; who has it keeps it.",
  positionals: [uuid],
  options: { reason: textOption({ doc: "Why, for those who ask.", placeholder: "TEXT" }) },
  examples: [{ line: 'drover gpu cordon GPU-8f2c --reason "fan is loud"', meaning: "Keep a GPU out of use" }],
  async run(context, { positionals: [name = ""], options }) {
    const request = { uuid: await findUuid(context, name), reason: options.reason ?? "" };
    return show(context, (await context.client.nodes.cordonGpu(request, { signal: context.signal })).gpu);
  },
});

/** `drover gpu uncordon` */
export const gpuUncordon = defineCommand({
  name: "gpu uncordon",
  summary: "Give a GPU back, whoever cordoned it.",
  about:
    "A GPU that failed under a task stays cordoned until this is done. One that its node still finds unusable is cordoned again.",
  positionals: [uuid],
  options: {},
  examples: [{ line: "drover gpu uncordon GPU-8f2c", meaning: "After it was mended" }],
  async run(context, { positionals: [name = ""] }) {
    const request = { uuid: await findUuid(context, name) };
    return show(context, (await context.client.nodes.uncordonGpu(request, { signal: context.signal })).gpu);
  },
});

/** The whole UUID of a GPU, by the beginning of it that no other one has. */
async function findUuid({ client, signal }: Context, start: string): Promise<string> {
  const { gpus } = await client.nodes.listGpus({}, { signal });
  const found = gpus.filter(({ uuid: whole }) => whole.toLowerCase().startsWith(start.toLowerCase()));
  // One that was moved to another host is on two nodes.
  const whole = [...new Set(found.map((gpu) => gpu.uuid))];
  const [first] = whole.includes(start) ? [start] : whole;
  if (first === undefined)
    throw new DroverError("not_found", `There is no GPU "${start}", nor one that begins so.`, {
      hint: "drover gpu list",
    });
  if (whole.includes(start) || whole.length === 1) return first;
  const message = `Expected the beginning of one GPU, got "${start}", with which ${whole.length} begin: ${whole.join(", ")}.`;
  throw new DroverError("invalid", message, { hint: "drover gpu list" });
}

function show({ output }: Context, gpu: Gpu | undefined): ExitCode {
  if (gpu === undefined) throw notAnswered("a GPU");
  if (output.isJson) output.json(gpuJson(gpu));
  else output.table(gpuColumns, [gpuRow(gpu)]);
  return 0;
}
