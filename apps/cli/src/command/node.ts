import { defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import { gpuColumns, gpuRow } from "../gpu-view.ts";
import { nodeColumns, nodeFacts, nodeJson, nodeRow } from "../node-view.ts";
import { textOption } from "../option.ts";
import { runProgram } from "../program.ts";

/** `drover node list` */
export const nodeList = defineCommand({
  name: "node list",
  summary: "List the nodes, with what each runs.",
  positionals: [],
  options: {},
  examples: [{ line: "drover node list", meaning: "See which hosts take work" }],
  async run({ client, output, signal }) {
    const { nodes } = await client.nodes.listNodes({}, { signal });
    if (output.isJson) output.json(nodes.map(nodeJson));
    else if (nodes.length === 0)
      output.note("No node has joined yet. Try: drover node token create, then drover node join on the host");
    else
      output.table(
        nodeColumns,
        nodes.map((node) => nodeRow(node, Date.now())),
      );
    return 0;
  },
});

/** `drover node get` */
export const nodeGet = defineCommand({
  name: "node get",
  summary: "Show a node: its host, labels, GPUs, and how far a drain is.",
  positionals: [{ name: "NAME", doc: "The node." }],
  options: {},
  examples: [{ line: "drover node get gpu-01", meaning: "Show a node" }],
  async run({ client, output, signal }, { positionals: [name = ""] }) {
    const { node } = await client.nodes.getNode({ name }, { signal });
    if (node === undefined) throw notAnswered("a node");
    if (output.isJson) output.json(nodeJson(node));
    else {
      output.facts(nodeFacts(node, Date.now()));
      if (node.gpus.length > 0) {
        output.line("");
        output.table(gpuColumns, node.gpus.map(gpuRow));
      }
    }
    return 0;
  },
});

/** `drover node login` */
export const nodeLogin = defineCommand({
  name: "node login",
  summary: "Make a node's own database login and print its URL.",
  about:
    "Run it where the database of the control plane can be reached: DROVER_DATABASE_URL, or the data folder of the embedded " +
    "PostgreSQL. The URL is a secret; a further login of the same node replaces its password.",
  positionals: [{ name: "NAME", doc: "The node, in lower-case letters, digits, dots and dashes." }],
  options: { data: textOption({ doc: "Folder of the embedded PostgreSQL.", placeholder: "PATH", isFile: true }) },
  examples: [
    { line: "drover node login gpu-01 > gpu-01.url", meaning: "For DROVER_AGENT_DATABASE_URL_FILE on the host gpu-01" },
  ],
  run: (context, { positionals: [name = ""], options }) =>
    runProgram(context, {
      program: "api",
      args: ["node-login", name],
      // The URL is what was asked for; how it came about matters only when it does not.
      env: { DROVER_DATA_DIR: options.data, DROVER_LOG_LEVEL: context.world.env["DROVER_LOG_LEVEL"] ?? "warn" },
    }),
});
