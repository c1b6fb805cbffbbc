import { defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { waitForEnvironment } from "../environment-wait.ts";
import { flagOption } from "../option.ts";

/** `drover env delete` */
export const envDelete = defineCommand({
  name: "env delete",
  summary: "Stop and remove all containers of environments, then forget them.",
  about: "Named volumes stay on their nodes.",
  positionals: [{ name: "NAME", doc: "The environment.", isRepeatable: true }],
  options: { wait: flagOption({ doc: "Wait until its containers are gone.", short: "w" }) },
  examples: [{ line: "drover env delete shop --wait", meaning: "Remove it, and wait for the end" }],
  run: (context, { positionals, options }) =>
    changeEach(context, positionals, async (name) => {
      await context.client.environments.deleteEnvironment({ name }, { signal: context.signal });
      if (!options.wait) return { state: "deleting", text: `is being deleted. Try: drover env watch ${name}` };
      await waitForEnvironment(context, { name, goal: "gone" });
      return { state: "deleted", text: "deleted" };
    }),
});
