import { setTimeout as pause } from "node:timers/promises";
import { DroverError } from "@drover/domain/error";
import type { DrainNodeResponse, Node } from "@drover/proto/drover/node";
import { isAway } from "../client.ts";
import { type Context, defineCommand } from "../command.ts";
import { formatDuration } from "../duration.ts";
import type { ExitCode } from "../exit.ts";
import { notAnswered } from "../fault.ts";
import { drainColumns, drainRow, isEmpty, leftText, nodeJson } from "../node-view.ts";
import { durationOption, flagOption, textOption } from "../option.ts";
import { nodeStateWord } from "../word.ts";

const lookMs = 1000;

/** `drover node drain` */
export const nodeDrain = defineCommand({
  name: "node drain",
  summary: "Empty a node: replicas move, tasks may end until a deadline.",
  about:
    "Nothing new goes onto the node. Replicas start elsewhere first; tasks that still run at the deadline go back to their " +
    'queues, without counting an attempt. The drain outlives restarts of the agent, and ends with "drover node uncordon".',
  positionals: [{ name: "NAME", doc: "The node." }],
  options: {
    within: durationOption({ doc: "How long running tasks may take. Default: 10m.", placeholder: "DURATION" }),
    reason: textOption({ doc: "Why, for those who ask.", placeholder: "TEXT" }),
    plan: flagOption({ doc: "Only tell what would leave, where to, and how long it would take." }),
    wait: flagOption({ doc: "Stay until the node is empty.", short: "w" }),
  },
  examples: [
    { line: "drover node drain gpu-01 --plan", meaning: "See what it would take" },
    { line: "drover node drain gpu-01 --within 1h --wait", meaning: "Give tasks an hour, and wait for the end" },
  ],
  async run(context, { positionals: [name = ""], options }) {
    const { client, output, signal } = context;
    const request = {
      name,
      // Less than a second would mean the default.
      deadlineSeconds: options.within === undefined ? 0 : Math.max(1, Math.ceil(options.within / 1000)),
      reason: options.reason ?? "",
      planOnly: options.plan,
    };
    const answer = await client.nodes.drainNode(request, { signal });
    if (!options.wait || options.plan || !output.isJson) say(context, answer, options.plan);
    if (!options.wait || options.plan) return 0;
    return untilEmpty(context, name);
  },
});

function say({ output }: Context, { node, items, expectedSeconds }: DrainNodeResponse, isPlan: boolean): void {
  if (node === undefined) throw notAnswered("a node");
  if (output.isJson) {
    output.json({
      node: nodeJson(node),
      items: items.map(({ kind, name, to, expectedSeconds: seconds, rejections }) => ({
        kind,
        name,
        to: to || null,
        expectedSeconds: seconds,
        rejections: rejections.map(({ node: where, code, message }) => ({ node: where, code, message })),
      })),
      expectedSeconds,
    });
    return;
  }
  if (items.length > 0) output.table(drainColumns, items.map(drainRow));
  const time =
    items.length === 0 ? "It is empty." : `It will be empty in about ${formatDuration(expectedSeconds * 1000)}.`;
  output.note(isPlan ? `Nothing was done. ${time}` : `Node ${node.name} is being drained. ${time}`);
}

/** Follows a drain to its end, over restarts of the API. */
async function untilEmpty({ client, output, signal }: Context, name: string): Promise<ExitCode> {
  for (let said = ""; ;) {
    const node = await look(client.nodes.getNode({ name }, { signal }));
    if (node !== undefined) {
      if (isEmpty(node)) {
        if (output.isJson) output.json(nodeJson(node));
        else output.line(`Node ${name} is drained: nothing is left on it.`);
        return 0;
      }
      if (node.drainDeadlineAt === undefined) throw undrained(name);
      const left = `${leftText(node)} left${nodeStateWord(node.state) === "lost" ? "; the node is lost" : ""}`;
      if (left !== said) output.note(left);
      said = left;
    }
    await pause(lookMs, undefined, { signal });
  }
}

async function look(answer: Promise<{ node?: Node | undefined }>): Promise<Node | undefined> {
  try {
    return (await answer).node;
  } catch (error) {
    if (isAway(error)) return undefined;
    throw error;
  }
}

function undrained(name: string): DroverError {
  return new DroverError("conflict", `The drain of node "${name}" was taken back by somebody else.`, {
    hint: `drover node get ${name}`,
  });
}
