import { toJson } from "@bufbuild/protobuf";
import { type Drift, DriftSchema } from "@drover/proto/drover/environment";
import { defineCommand } from "../command.ts";
import { formatSize } from "../size.ts";
import type { Column } from "../table.ts";

/** `drover env drift` */
export const envDrift = defineCommand({
  name: "env drift",
  summary: "Show where containers differ from what is declared, and change nothing; exit code 1 when any does.",
  positionals: [{ name: "NAME", doc: "The environment." }],
  options: {},
  examples: [{ line: "drover env drift shop", meaning: "Has somebody changed a container by hand?" }],
  async run({ client, output, signal }, { positionals: [name = ""] }) {
    const { drifts } = await client.environments.getDrift({ name }, { signal });
    if (output.isJson) output.json(drifts.map((drift) => toJson(DriftSchema, drift, { alwaysEmitImplicit: true })));
    else if (drifts.length === 0) output.note(`The containers of ${name} are as declared, as far as nodes have told.`);
    else {
      output.table(driftColumns, drifts.map(driftRow));
      output.note(`\nTry: drover service restart ${name} ${drifts[0]?.service ?? ""}`);
    }
    return drifts.length === 0 ? 0 : 1;
  },
});

const driftColumns: Column[] = [
  { heading: "SERVICE" },
  { heading: "REPLICA", align: "right" },
  { heading: "NODE" },
  { heading: "FIELD" },
  { heading: "WANTED", isFlexible: true },
  { heading: "FOUND", isFlexible: true },
];

function driftRow({ service, replica, node, field, wanted, found }: Drift): string[] {
  return [service, String(replica), node, field, amountText(field, wanted), amountText(field, found)];
}

/** As a person writes it: the engine counts memory in bytes and processors in billionths, and knows no limit as 0. */
function amountText(field: string, text: string): string {
  const amount = /^\d+$/.test(text) ? Number(text) : undefined;
  if (amount === undefined || !["memory", "cpu", "pids"].includes(field)) return text || "-";
  if (amount === 0) return "no limit";
  return field === "memory" ? formatSize(amount) : field === "cpu" ? String(amount / 1e9) : text;
}
