import { Code, ConnectError } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import { classColumns, classJson, classRow } from "../class-view.ts";
import { type Context, defineCommand } from "../command.ts";
import { toFault } from "../fault.ts";
import { getPage } from "../http-get.ts";
import { nodeColumns, nodeJson, nodeRow } from "../node-view.ts";

interface Readiness {
  isReady: boolean;
  /** What is not right, a sentence each. */
  faults: string[];
}

/** `drover status` */
export const status = defineCommand({
  name: "status",
  summary: "Show whether the API is there and ready, its nodes and its queues.",
  about: "Exits 0 when the API is ready, 4 when it is not, or cannot be reached.",
  positionals: [],
  options: {},
  examples: [{ line: "drover status", meaning: "Is everything well?" }],
  async run(context) {
    const { client, output, signal } = context;
    const readiness = await readReadiness(context);
    if (!readiness.isReady) {
      const message = `The API at ${client.address} is not ready${readiness.faults.length > 0 ? `: ${readiness.faults.join(" ")}` : "."}`;
      throw new DroverError("unavailable", message, { hint: "look at the log of the API, and at its database" });
    }
    const [{ nodes }, { classes }] = await Promise.all([
      client.nodes.listNodes({}, { signal }),
      client.classes.listClasses({}, { signal }),
    ]);
    if (output.isJson) {
      output.json({
        address: client.address,
        namespace: client.namespace,
        isReady: true,
        nodes: nodes.map(nodeJson),
        classes: classes.map(classJson),
      });
      return 0;
    }
    output.line(`API ${client.address} is ${output.paint("ready", "green")}.`);
    output.line("");
    if (nodes.length === 0) output.line("No node has joined: tasks wait. Try: drover agent --help");
    else
      output.table(
        nodeColumns,
        nodes.map((node) => nodeRow(node, Date.now())),
      );
    output.line("");
    output.table(classColumns, classes.map(classRow));
    return 0;
  },
});

async function readReadiness({ client, signal }: Context): Promise<Readiness> {
  try {
    const { status: code, body } = await getPage({ url: `${client.address}/health/ready`, signal });
    if (code !== 200 && code !== 503) throw new ConnectError(`HTTP ${code}`, Code.Unimplemented);
    return { isReady: code === 200, faults: readFaults(body) };
  } catch (error) {
    throw toFault(error, { address: client.address, commandName: "status" });
  }
}

function readFaults(body: string): string[] {
  try {
    const { checks } = JSON.parse(body) as { checks?: { ok?: boolean; message?: string }[] };
    return (checks ?? []).flatMap(({ ok, message }) => (ok === true || message === undefined ? [] : [message]));
  } catch {
    return [];
  }
}
