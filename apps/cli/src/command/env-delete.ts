import { Code, ConnectError } from "@connectrpc/connect";
import { type Context, defineCommand } from "../command.ts";
import { changeEach } from "../each.ts";
import { waitForEnvironment } from "../environment-wait.ts";
import { flagOption } from "../option.ts";

/** `drover env delete` */
export const envDelete = defineCommand({
  name: "env delete",
  summary: "Stop and remove all containers of environments, then forget them.",
  about: "Named volumes stay on their nodes.",
  positionals: [{ name: "NAME", doc: "The environment.", isRepeatable: true }],
  options: {
    wait: flagOption({ doc: "Wait until its containers are gone.", short: "w" }),
    "ignore-missing": flagOption({ doc: "Exit 0 also where there is no environment of that name." }),
  },
  examples: [
    { line: "drover env delete shop --wait", meaning: "Remove it, and wait for the end" },
    { line: "drover env delete preview-7 --wait --ignore-missing", meaning: "In a script that may run twice" },
  ],
  run: (context, { positionals, options }) =>
    changeEach(context, positionals, async (name) => {
      const isThere = await askFor(context, name, options["ignore-missing"]);
      if (!isThere) return { state: "missing", text: "was not there" };
      if (!options.wait) return { state: "deleting", text: `is being deleted. Try: drover env watch ${name}` };
      await waitForEnvironment(context, { name, goal: "gone" });
      return { state: "deleted", text: "deleted" };
    }),
});

/** Whether there was one to delete; where that it is missing is not to be ignored, it is an error. */
async function askFor({ client, signal }: Context, name: string, mayBeMissing: boolean): Promise<boolean> {
  try {
    await client.environments.deleteEnvironment({ name }, { signal });
    return true;
  } catch (error) {
    if (mayBeMissing && error instanceof ConnectError && error.code === Code.NotFound) return false;
    throw error;
  }
}
