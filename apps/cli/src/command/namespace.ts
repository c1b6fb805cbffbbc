import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Namespace } from "@drover/proto/drover/namespace";
import { defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import type { Output } from "../output.ts";

/** `drover namespace list` */
export const namespaceList = defineCommand({
  name: "namespace list",
  summary: "List the namespaces.",
  positionals: [],
  options: {},
  examples: [{ line: "drover namespace list", meaning: "See which tenants there are" }],
  async run({ client, output, signal }) {
    const { namespaces } = await client.namespaces.listNamespaces({}, { signal });
    show(output, namespaces);
    return 0;
  },
});

/** `drover namespace create` */
export const namespaceCreate = defineCommand({
  name: "namespace create",
  summary: "Create a namespace: tasks, workflows, classes, budgets and environments of its own.",
  positionals: [{ name: "NAME", doc: "Its name, in lower-case letters, digits and -." }],
  options: {},
  examples: [
    { line: "drover namespace create team-a", meaning: "Then: drover -n team-a task submit ..." },
    { line: "drover -n team-a budget set team --amount 20 --per day", meaning: "What the team may spend a day" },
  ],
  async run({ client, output, signal }, { positionals: [name = ""] }) {
    const { namespace } = await client.namespaces.createNamespace({ name }, { signal });
    if (namespace === undefined) throw notAnswered("a namespace");
    show(output, [namespace]);
    return 0;
  },
});

function show(output: Output, namespaces: Namespace[]): void {
  const created = ({ createdAt }: Namespace) => (createdAt === undefined ? "" : timestampDate(createdAt).toISOString());
  if (output.isJson) output.json(namespaces.map((one) => ({ name: one.name, createdAt: created(one) })));
  else
    output.table(
      [{ heading: "NAMESPACE" }, { heading: "CREATED" }],
      namespaces.map((one) => [one.name, created(one)]),
    );
}
