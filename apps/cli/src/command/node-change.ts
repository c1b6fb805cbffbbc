import type { Node } from "@drover/proto/drover/node";
import { type Context, defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import type { ExitCode } from "../exit.ts";
import { notAnswered } from "../fault.ts";
import { nodeColumns, nodeJson, nodeRow } from "../node-view.ts";
import { flagOption, textOption } from "../option.ts";
import { usageError } from "../parse.ts";

const name = { name: "NAME", doc: "The node." };
const reason = textOption({ doc: "Why, for those who ask.", placeholder: "TEXT" });

/** `drover node cordon` */
export const nodeCordon = defineCommand({
  name: "node cordon",
  summary: "Let nothing new onto a node; what runs there goes on.",
  positionals: [name],
  options: { reason },
  examples: [{ line: 'drover node cordon gpu-01 --reason "disk fills up"', meaning: "Keep new work away" }],
  run: async (context, { positionals: [node = ""], options }) =>
    show(
      context,
      (await context.client.nodes.cordonNode({ name: node, reason: options.reason ?? "" }, { signal: context.signal }))
        .node,
    ),
});

/** `drover node uncordon` */
export const nodeUncordon = defineCommand({
  name: "node uncordon",
  summary: "Let a node take work again; this ends a drain, too.",
  positionals: [name],
  options: {},
  examples: [{ line: "drover node uncordon gpu-01", meaning: "After the maintenance" }],
  run: async (context, { positionals: [node = ""] }) =>
    show(context, (await context.client.nodes.uncordonNode({ name: node }, { signal: context.signal })).node),
});

/** `drover node label` */
export const nodeLabel = defineCommand({
  name: "node label",
  summary: "Set or take away labels, by which tasks and services choose nodes.",
  about:
    "Keys are lower-case words, with a prefix and a slash where you like; values have 63 characters at most. The label " +
    "gpu-class says of which class the GPUs of the node are, for requests that name one.",
  positionals: [name, { name: "LABEL", doc: "KEY=VALUE to set it, KEY- to take it away.", isRepeatable: true }],
  options: {},
  examples: [
    { line: "drover node label gpu-01 zone=a gpu-class=training", meaning: "Set two labels" },
    { line: "drover node label gpu-01 zone-", meaning: "Take one away" },
  ],
  async run(context, { positionals: [node = "", ...texts] }) {
    const odd = texts.find((text) => !/^[^=]+=|^[^=]+-$/.test(text));
    if (odd !== undefined || texts.length === 0) throw expected("node label", "LABEL", "KEY=VALUE or KEY-", odd);
    const sets = texts.filter((text) => text.includes("="));
    const request = {
      name: node,
      setLabels: Object.fromEntries(
        sets.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
      ),
      unsetLabels: texts.filter((text) => !text.includes("=")).map((text) => text.slice(0, -1)),
    };
    return show(context, (await context.client.nodes.updateNode(request, { signal: context.signal })).node);
  },
});

/** `drover node taint` */
export const nodeTaint = defineCommand({
  name: "node taint",
  summary: "Keep away what does not tolerate a taint, or take it away.",
  about:
    "A taint keeps new tasks and replicas with placement away from the node unless they tolerate it; what is there stays.",
  positionals: [name, { name: "TAINT", doc: "A word to add it, the word and - to take it away.", isRepeatable: true }],
  options: {},
  examples: [
    { line: "drover node taint gpu-01 spot", meaning: "Only for what tolerates spot" },
    { line: "drover node taint gpu-01 spot-", meaning: "For all again" },
  ],
  async run(context, { positionals: [node = "", ...texts] }) {
    if (texts.length === 0) throw expected("node taint", "TAINT", "a word, or one and -", undefined);
    const request = {
      name: node,
      addTaints: texts.filter((text) => !text.endsWith("-")),
      removeTaints: texts.filter((text) => text.endsWith("-")).map((text) => text.slice(0, -1)),
    };
    return show(context, (await context.client.nodes.updateNode(request, { signal: context.signal })).node);
  },
});

/** `drover node remove` */
export const nodeRemove = defineCommand({
  name: "node remove",
  summary: "Forget nodes and take their logins away.",
  about:
    "A node that lives and holds work is refused: drain it first. With --force its tasks are started anew elsewhere when " +
    "its lease is over, its replicas at once, and containers may run on on the host until somebody removes them.",
  positionals: [{ ...name, isRepeatable: true }],
  options: { force: flagOption({ doc: "Also where work is lost by it." }) },
  examples: [
    { line: "drover node remove gpu-01", meaning: "Take a host out of service that was drained" },
    { line: "drover node remove gpu-02 --force", meaning: "One that burnt down" },
  ],
  run: (context, { positionals, options }) =>
    changeEach(context, positionals, async (node) => {
      await context.client.nodes.removeNode({ name: node, force: options.force }, { signal: context.signal });
      return { state: "removed", text: "removed" };
    }),
});

/** `drover node revoke` */
export const nodeRevoke = defineCommand({
  name: "node revoke",
  summary: "End the database logins of nodes at once; each has to join anew.",
  about:
    "For a host that fell into wrong hands. Its sessions are ended, its agent stops, and its tasks are handed on when its " +
    "lease is over. Containers of services run on there until somebody stops them.",
  positionals: [{ ...name, isRepeatable: true }],
  options: {},
  examples: [{ line: "drover node revoke gpu-03", meaning: "Lock a host out" }],
  run: (context, { positionals }) =>
    changeEach(context, positionals, async (node) => {
      await context.client.nodes.revokeNodeLogin({ name: node }, { signal: context.signal });
      return { state: "revoked", text: "login revoked" };
    }),
});

function show({ output }: Context, node: Node | undefined): ExitCode {
  if (node === undefined) throw notAnswered("a node");
  if (output.isJson) output.json(nodeJson(node));
  else output.table(nodeColumns, [nodeRow(node, Date.now())]);
  return 0;
}

function expected(command: string, field: string, what: string, got: string | undefined) {
  const message = `Expected ${what} for ${field}, got ${got === undefined ? "nothing" : `"${got}"`}.`;
  return usageError(command, [{ field, message }]);
}
