import { toJson } from "@bufbuild/protobuf";
import { type PullImagesResponse, PullImagesResponseSchema } from "@drover/proto/drover/node";
import { type Context, defineCommand } from "../command.ts";
import { formatDuration } from "../duration.ts";
import type { ExitCode } from "../exit.ts";
import { listOption } from "../option.ts";
import { showPulls } from "../pull-screen.ts";
import { printable } from "../text-width.ts";

/** `drover image pull` */
export const imagePull = defineCommand({
  name: "image pull",
  summary: "Fetch images onto nodes before they are needed, with progress.",
  about:
    "Nodes fetch with the credentials of their own. Exits 1 where an image could not be fetched onto a node; the others are. An image that a node has and no registry knows is kept, and counts as there.",
  positionals: [{ name: "IMAGE", doc: "An image, as docker pull takes it.", isRepeatable: true }],
  options: {
    node: listOption({
      doc: "Onto this node; else onto every ready node with a container engine.",
      placeholder: "NAME",
      expects: "the name of a node",
      parse: (text) => text || undefined,
    }),
  },
  examples: [
    { line: "drover image pull redis:7-alpine", meaning: "Onto all nodes" },
    { line: "drover image pull embedder:2 ranker:3 --node gpu-1 --node gpu-2", meaning: "Two images onto two nodes" },
  ],
  async run(context, { positionals, options }) {
    const { client, output, signal } = context;
    const startedAt = performance.now();
    const pulls = new Map<string, PullImagesResponse>();
    const screen = output.isJson ? undefined : showPulls(output);
    try {
      const request = { images: [...positionals], nodes: options.node };
      for await (const pull of client.nodes.pullImages(request, { signal, timeoutMs: 0 })) {
        pulls.set(`${pull.node} ${pull.image}`, pull);
        if (output.isJson) output.jsonLine(toJson(PullImagesResponseSchema, pull, { alwaysEmitImplicit: true }));
        else screen?.show(pulls);
      }
    } finally {
      screen?.end();
    }
    return sayEnd(context, [...pulls.values()], performance.now() - startedAt);
  },
});

function sayEnd({ output }: Context, pulls: readonly PullImagesResponse[], tookMs: number): ExitCode {
  // A terminal is often too narrow for the whole of what was said.
  for (const { node, image, message } of output.isTerminal ? pulls : [])
    if (message !== "") output.note(`  ${node}  ${image}  ${printable(message)}`);
  const complete = pulls.filter(({ status }) => status === "complete").length;
  const time = `after ${formatDuration(tookMs)}`;
  if (complete === pulls.length) {
    output.note(`${output.paintError("complete", "green")} ${time}`);
    return 0;
  }
  if (output.isJson) return 1;
  output.complain(
    `${output.paintError("failed", "red")} ${time}: ${pulls.length - complete} of ${pulls.length} pulls.`,
  );
  return 1;
}
