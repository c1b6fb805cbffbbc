import { defineCommand } from "../command.ts";
import { environmentFile, faultsOfPlan, readEnvironmentFile, sayWarnings } from "../environment-source.ts";
import { flagOption } from "../option.ts";
import { isPlanEmpty, planJson, planSum, renderPlan } from "../plan-view.ts";
import { refuseFile } from "../source-fault.ts";
import { faultJson } from "../source-file.ts";

const commandName = "env plan";

/** `drover env plan` */
export const envPlan = defineCommand({
  name: commandName,
  summary: "Show what applying an environment would do, and do nothing.",
  about:
    "Services in the order in which they start, + new, ~ changed, - removed; a service that is replaced gets new " +
    "containers, and one that is updated keeps them.",
  positionals: [environmentFile],
  options: { "exit-code": flagOption({ doc: "Exit 1 where there is something to do, as where the file has faults." }) },
  examples: [
    { line: "drover env plan shop.yaml", meaning: "Look before applying" },
    { line: "drover env plan shop.yaml --exit-code > /dev/null", meaning: "In a script: is there something to do?" },
  ],
  async run(context, { positionals: [path = ""], options }) {
    const { client, output, world, signal } = context;
    const file = await readEnvironmentFile(path, world, commandName);
    const plan = await client.environments.planEnvironment({ source: file.text }, { signal });
    const faults = faultsOfPlan(plan, file);
    if (faults.length > 0) return refuseFile(context, { file, faults, hint: `drover env validate ${path}` });
    const { name, generation, steps, warnings } = plan;
    const isEmpty = isPlanEmpty(steps);
    sayWarnings(context, file, warnings);
    if (output.isJson)
      output.json({ name, generation, changes: !isEmpty, steps: planJson(steps), warnings: warnings.map(faultJson) });
    else {
      const sum = isEmpty
        ? `Nothing to do: ${name} is declared like this already, as generation ${generation}.`
        : `${name}: ${planSum(steps)}. This would be generation ${generation + 1}.`;
      for (const line of renderPlan(steps, { output, sum })) output.line(line);
      if (!isEmpty) output.note(`Try: drover env apply ${path} --wait`);
    }
    return options["exit-code"] && !isEmpty ? 1 : 0;
  },
});
