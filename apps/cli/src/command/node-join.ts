import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { defineCommand } from "../command.ts";
import { flagOption, textOption } from "../option.ts";
import { usageError } from "../parse.ts";
import { nodeJson } from "../node-view.ts";
import { notAnswered } from "../fault.ts";
import { openSecretFile } from "../url-file.ts";

/** `drover node join` */
export const nodeJoin = defineCommand({
  name: "node join",
  summary: "Make this host a node, with a one-time token.",
  about:
    "Run it on the host. It gets a database login of its own and leaves its URL, which is a secret, in a file that only its " +
    "owner can read: /etc/drover/agent.url for root, .drover/agent.url for others. The agent is then started with it.",
  positionals: [],
  options: {
    token: textOption({
      doc: 'As "drover node token create" told it. Default: DROVER_JOIN_TOKEN.',
      placeholder: "TOKEN",
    }),
    name: textOption({ doc: "The node's name. Default: the host's.", placeholder: "NAME" }),
    "url-file": textOption({ doc: "Where to leave the URL.", placeholder: "PATH", isFile: true }),
    replace: flagOption({ doc: "Replace a login that is there already." }),
    print: flagOption({ doc: "Print the URL instead of leaving it in a file." }),
  },
  examples: [
    { line: "drover node join --address http://control:9097 --token drover-join-...", meaning: "On the new host" },
    {
      line: "drover node join --token drover-join-... --name gpu-07 --print > gpu-07.url",
      meaning: "For another host",
    },
  ],
  async run({ client, output, signal, world }, { options }) {
    const name = options.name ?? hostname().toLowerCase();
    const token = options.token ?? world.env["DROVER_JOIN_TOKEN"] ?? "";
    if (token === "") throw usageError("node join", [{ field: "--token", message: noToken }]);
    const place =
      options["url-file"] ?? (userInfo().uid === 0 ? "/etc/drover/agent.url" : join(".drover", "agent.url"));
    const file = options.print ? undefined : await openSecretFile(place, { isReplaced: options.replace });
    let answer;
    try {
      answer = await client.nodes.join({ token, name }, { signal });
      if (answer.node === undefined || answer.databaseUrl === "") throw notAnswered("a node and its login");
    } catch (error) {
      await file?.discard();
      throw error;
    }
    const { node, databaseUrl } = answer;
    await file?.write(databaseUrl);
    const start = `DROVER_AGENT_DATABASE_URL_FILE=${file?.path ?? "FILE"} DROVER_AGENT_NODE=${node.name} drover agent`;
    if (output.isJson)
      output.json({ node: nodeJson(node), ...(file ? { urlFile: file.path } : { databaseUrl }), start });
    else {
      if (file === undefined) output.line(databaseUrl);
      else output.line(`This host has joined as node ${node.name}. Its login is in ${file.path}`);
      if (isLoopback(databaseUrl) && !isLoopback(client.address)) output.note(unreachable);
      output.note(`Start its agent: ${start}`);
    }
    return 0;
  },
});

const noToken = 'Expected a token, as "drover node token create" tells it, in --token or DROVER_JOIN_TOKEN, got none.';

const unreachable =
  "The database is named by an address of the API's own machine, which this host cannot reach: set DROVER_NODE_DATABASE_URL on the API, and join again.";

function isLoopback(url: string): boolean {
  return /^[a-z]+:\/\/(?:[^@/?#]*@)?(?:localhost|127\.|\[::1\])/i.test(url);
}
