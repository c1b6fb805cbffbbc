import { defineCommand } from "../command.ts";
import { environmentColumns, environmentJson, environmentRow } from "../environment-view.ts";

/** `drover env list` */
export const envList = defineCommand({
  name: "env list",
  summary: "List the environments, with how they are.",
  positionals: [],
  options: {},
  examples: [{ line: "drover env list", meaning: "See what is declared, and what is not as declared" }],
  async run({ client, output, signal }) {
    const { environments } = await client.environments.listEnvironments({}, { signal });
    if (output.isJson) output.json(environments.map(listed));
    else if (environments.length === 0) output.note("There are no environments. Try: drover env apply FILE");
    else
      output.table(
        environmentColumns,
        environments.map((environment) => environmentRow(environment, Date.now())),
      );
    return 0;
  },
});

/** Lists are without services and source. */
function listed(environment: Parameters<typeof environmentJson>[0]) {
  const { services: _, source: __, ...listing } = environmentJson(environment);
  return listing;
}
