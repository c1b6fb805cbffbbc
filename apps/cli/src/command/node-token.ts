import { type Context, defineCommand } from "../command.ts";
import { formatDuration } from "../duration.ts";
import { changeEach } from "../each.ts";
import type { ExitCode } from "../exit.ts";
import { notAnswered } from "../fault.ts";
import { tokenColumns, tokenJson, tokenRow } from "../node-view.ts";
import { durationOption, listOption, pairsOption, textOption } from "../option.ts";
import { usageError } from "../parse.ts";

const actions = ["create", "list", "revoke"] as const;

/** `drover node token` */
export const nodeToken = defineCommand({
  name: "node token",
  summary: "Create, list or revoke one-time tokens by which hosts join.",
  about: "A token is told once, when it is created, and is good for one host. Only a digest of it is kept.",
  positionals: [
    { name: "ACTION", doc: "create, list or revoke.", words: actions },
    { name: "ID", doc: "Of the tokens to revoke.", isOptional: true, isRepeatable: true },
  ],
  options: {
    name: textOption({ doc: "create: only for a node of this name.", placeholder: "NAME" }),
    ttl: durationOption({ doc: "create: how long it is good. Default: 1h; at most 30d.", placeholder: "DURATION" }),
    label: pairsOption({ doc: "create: a label of the node that joins.", short: "l" }),
    taint: listOption({ doc: "create: a taint of the node that joins.", expects: "a word", parse: (text) => text }),
  },
  examples: [
    { line: "drover node token create --ttl 10m --label zone=a", meaning: "For drover node join on the host" },
    { line: "drover node token list", meaning: "See which are open, and which node used which" },
    { line: "drover node token revoke 7", meaning: "Make one useless" },
  ],
  async run(context, { positionals: [action = "", ...ids], options }) {
    if (action === "revoke") return revoke(context, ids);
    const [extra] = ids;
    if (extra !== undefined) throw wrong("ID", `Expected nothing after ${action}, got "${extra}".`);
    if (action === "list") return list(context);
    if (action !== "create") throw wrong("ACTION", `Expected one of ${actions.join(", ")}, got "${action}".`);
    return create(context, {
      nodeName: options.name ?? "",
      ttlSeconds: readTtl(options.ttl),
      labels: options.label,
      taints: options.taint,
    });
  },
});

/** 0: the default; less than a second would mean that, too. */
function readTtl(ttlMs: number | undefined): number {
  if (ttlMs !== undefined && ttlMs > longestTtlMs)
    throw wrong("--ttl", `Expected --ttl of at most 30d, got ${formatDuration(ttlMs)}.`);
  return ttlMs === undefined ? 0 : Math.max(1, Math.ceil(ttlMs / 1000));
}

const longestTtlMs = 30 * 86_400_000;

interface Draft {
  nodeName: string;
  ttlSeconds: number;
  labels: Record<string, string>;
  taints: string[];
}

async function create({ client, output, signal }: Context, draft: Draft): Promise<ExitCode> {
  const { token, info } = await client.nodes.createJoinToken(draft, { signal });
  if (info === undefined) throw notAnswered("a join token");
  if (output.isJson) output.json({ token, ...tokenJson(info, Date.now()) });
  else {
    output.line(token);
    const name = draft.nodeName === "" ? "" : ` --name ${draft.nodeName}`;
    output.note(`It is told only now. On the host: drover node join --address ${client.address}${name} --token TOKEN`);
  }
  return 0;
}

async function list({ client, output, signal }: Context): Promise<ExitCode> {
  const { tokens } = await client.nodes.listJoinTokens({}, { signal });
  const nowMs = Date.now();
  if (output.isJson) output.json(tokens.map((token) => tokenJson(token, nowMs)));
  else if (tokens.length === 0) output.note("There is no join token. Try: drover node token create");
  else
    output.table(
      tokenColumns,
      tokens.map((token) => tokenRow(token, nowMs)),
    );
  return 0;
}

function revoke(context: Context, ids: readonly string[]): Promise<ExitCode> {
  const odd = ids.find((id) => !/^[1-9]\d{0,8}$/.test(id));
  if (odd !== undefined || ids.length === 0) {
    const got = odd === undefined ? "nothing" : `"${odd}"`;
    throw wrong("ID", `Expected the ids of tokens as "drover node token list" shows them, got ${got}.`);
  }
  return changeEach(context, ids, async (id) => {
    await context.client.nodes.revokeJoinToken({ id: Number(id) }, { signal: context.signal });
    return { state: "revoked", text: "revoked" };
  });
}

function wrong(field: string, message: string) {
  return usageError("node token", [{ field, message }]);
}
