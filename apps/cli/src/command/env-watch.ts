import { defineCommand } from "../command.ts";
import { showEnvironments } from "../environment-screen.ts";
import { environmentJson } from "../environment-view.ts";
import { followEnvironment } from "../follow-environment.ts";

/** `drover env watch` */
export const envWatch = defineCommand({
  name: "env watch",
  summary: "Follow an environment, until you leave or it is deleted.",
  about:
    "On a terminal its replicas are drawn again in their place as they change; elsewhere each change is a line, and with " +
    "--json one JSON object.",
  positionals: [{ name: "NAME", doc: "The environment." }],
  options: {},
  examples: [
    { line: "drover env watch shop", meaning: "See what happens" },
    { line: "drover env watch shop --json | jq -r .state", meaning: "One JSON object for each change" },
  ],
  async run({ client, output, signal }, { positionals: [name = ""] }) {
    const screen = showEnvironments(output, environmentJson);
    try {
      await followEnvironment({
        client,
        name,
        signal,
        onChange(environment) {
          screen.show(environment);
          return false;
        },
      });
    } finally {
      screen.end();
    }
    output.note(`${name} was deleted.`);
    return 0;
  },
});
