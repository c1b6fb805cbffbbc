import { type Context, defineCommand } from "../command.ts";
import { environmentFile, faultsOfRefusal, readEnvironmentFile, sayWarnings } from "../environment-source.ts";
import { environmentJson } from "../environment-view.ts";
import { waitForEnvironment } from "../environment-wait.ts";
import { notAnswered } from "../fault.ts";
import { flagOption, integerOption } from "../option.ts";
import { planJson, planSum, renderPlan } from "../plan-view.ts";
import { refuseFile } from "../source-fault.ts";
import { faultJson, type SourceFile } from "../source-file.ts";

const commandName = "env apply";

/** `drover env apply` */
export const envApply = defineCommand({
  name: commandName,
  summary: "Save an environment as a new generation, and have its services follow.",
  about:
    "Shows what changes, as the plan would. A file that is equal to the newest generation saves nothing. With --wait it " +
    "follows until all is ready, and exits 1 where a required service failed; give it a --deadline in scripts.",
  positionals: [environmentFile],
  options: {
    wait: flagOption({ doc: "Wait until it is ready, and show how it comes up.", short: "w" }),
    expect: integerOption({
      doc: "Refuse unless this generation is the newest, as the plan that was looked at said.",
      min: 1,
      max: 2_147_483_647,
    }),
  },
  examples: [
    { line: "drover env apply shop.yaml --wait", meaning: "Apply a file, and see it come up" },
    { line: "drover env apply lightweight", meaning: "The built-in environment" },
    { line: "drover env apply shop.yaml --expect 4 --wait --deadline 5m", meaning: "In a pipeline" },
  ],
  async run(context, { positionals: [path = ""], options }) {
    const { output, world } = context;
    const file = await readEnvironmentFile(path, world, commandName);
    const applied = await apply(context, file, options.expect ?? 0);
    if ("code" in applied) return applied.code;
    const { environment, created, steps, warnings } = applied;
    const { name, generation } = environment;
    const done = { created, steps: planJson(steps), warnings: warnings.map(faultJson) };
    sayWarnings(context, file, warnings);
    if (!output.isJson) {
      const sum = created
        ? `Applied ${name} as generation ${generation}: ${planSum(steps)}.`
        : `${name} was declared like this already, as generation ${generation}.`;
      for (const line of renderPlan(steps, { output, sum })) output.line(line);
      if (options.wait) output.line("");
      else output.note(`Try: drover env watch ${name}`);
    }
    if (!options.wait) {
      if (output.isJson) output.json({ environment: environmentJson(environment), ...done });
      return 0;
    }
    const waited = await waitForEnvironment(context, { name, goal: "running", generation });
    if (output.isJson) output.json({ environment: waited.environment && environmentJson(waited.environment), ...done });
    return waited.code;
  },
});

/** Hands it to the server; where it has faults, they were told, and there is only what to exit with. */
async function apply(context: Context, file: SourceFile, expectedGeneration: number) {
  const { client, signal } = context;
  try {
    const request = { source: file.text, expectedGeneration };
    const { environment, ...more } = await client.environments.applyEnvironment(request, { signal });
    if (environment === undefined) throw notAnswered("an environment");
    return { environment, ...more };
  } catch (error) {
    const faults = faultsOfRefusal(error, file);
    if (faults === undefined) throw error;
    return { code: refuseFile(context, { file, faults, hint: `drover env validate ${file.name}` }) };
  }
}
