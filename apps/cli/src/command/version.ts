import { defineCommand } from "../command.ts";
import manifest from "../../package.json" with { type: "json" };

/** `drover version` */
export const version = defineCommand({
  name: "version",
  summary: "Show the version of this program.",
  positionals: [],
  options: {},
  examples: [{ line: "drover version", meaning: "Which one is this?" }],
  async run({ output, world }) {
    const { version: own } = manifest;
    if (output.isJson) output.json({ version: own, node: world.nodeVersion });
    else output.line(`drover ${own} (node ${world.nodeVersion})`);
    return 0;
  },
});
