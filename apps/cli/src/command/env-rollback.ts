import { defineCommand } from "../command.ts";
import { environmentJson } from "../environment-view.ts";
import { waitForEnvironment } from "../environment-wait.ts";
import { notAnswered } from "../fault.ts";
import { flagOption, integerOption } from "../option.ts";
import { planJson, planSum, renderPlan } from "../plan-view.ts";

/** `drover env rollback` */
export const envRollback = defineCommand({
  name: "env rollback",
  summary: "Make an older generation of an environment the newest one.",
  about: "It becomes a generation of its own, so that this can be taken back like any other.",
  positionals: [{ name: "NAME", doc: "The environment." }],
  options: {
    to: integerOption({
      doc: "This generation; else the one before the newest.",
      placeholder: "N",
      min: 1,
      max: 2_147_483_647,
    }),
    wait: flagOption({ doc: "Wait until it is ready, and show how it comes up.", short: "w" }),
  },
  examples: [
    { line: "drover env rollback shop --wait", meaning: "Take the last change back" },
    { line: "drover env rollback shop --to 3", meaning: "Back to a certain generation" },
  ],
  async run(context, { positionals: [name = ""], options }) {
    const { client, output, signal } = context;
    const request = { name, generation: options.to ?? 0 };
    const { environment, steps } = await client.environments.rollbackEnvironment(request, { signal });
    if (environment === undefined) throw notAnswered("an environment");
    const done = { steps: planJson(steps) };
    if (!output.isJson) {
      const sum = `${name} is back, as generation ${environment.generation}: ${planSum(steps)}.`;
      for (const line of renderPlan(steps, { output, sum })) output.line(line);
      if (options.wait) output.line("");
      else output.note(`Try: drover env watch ${name}`);
    }
    if (!options.wait) {
      if (output.isJson) output.json({ environment: environmentJson(environment), ...done });
      return 0;
    }
    const waited = await waitForEnvironment(context, { name, goal: "running", generation: environment.generation });
    if (output.isJson) output.json({ environment: waited.environment && environmentJson(waited.environment), ...done });
    return waited.code;
  },
});
