import type { Environment, Generation } from "@drover/proto/drover/environment";
import { type Context, defineCommand } from "../command.ts";
import { environmentFacts, environmentJson } from "../environment-view.ts";
import { findEnvironment } from "../find-service.ts";
import { flagOption } from "../option.ts";
import { cutNotes, rejectionLines, serviceLines, serviceTable } from "../service-view.ts";
import { findTakenBack, takenBackText } from "../taken-back.ts";
import { environmentStateWord, replicaStateWord } from "../word.ts";

/** `drover env get` */
export const envGet = defineCommand({
  name: "env get",
  summary: "Show an environment: its services, where they run, what they say.",
  positionals: [{ name: "NAME", doc: "The environment." }],
  options: { source: flagOption({ doc: "Write what was applied, and nothing else." }) },
  examples: [
    { line: "drover env get shop", meaning: "Show an environment" },
    { line: "drover env get shop --source > shop.yaml", meaning: "Take its file back" },
    {
      line: "drover env get shop --json | jq '.services[].instances[].ports'",
      meaning: "Where its services can be reached",
    },
  ],
  async run(context, { positionals: [name = ""], options }) {
    const { output } = context;
    const environment = await findEnvironment(context, name);
    if (options.source && !output.isJson) {
      output.raw(environment.source.replace(/\n?$/, "\n"), "stdout");
      return 0;
    }
    const takenBack = await findTakenBack(context, environment);
    if (output.isJson) output.json({ ...environmentJson(environment), copyOf: takenBack?.copyOf ?? 0 });
    else showEnvironment(context, environment, takenBack);
    return 0;
  },
});

function showEnvironment({ output }: Context, environment: Environment, takenBack: Generation | undefined): void {
  const nowMs = Date.now();
  const facts = environmentFacts(environment, nowMs);
  // The one before it is what was taken back: going back is done to the newest only.
  if (takenBack !== undefined) facts.push(["Taken back", takenBackText(takenBack, environment.generation - 1)]);
  output.facts(facts);
  output.line("");
  const lines = serviceLines(environment.services);
  const table = serviceTable(output, lines, { nowMs, hasImages: true });
  for (const line of [...table, ...cutNotes(table, lines), ...rejectionLines(environment, output)]) output.line(line);
  const next = nextCommand(environment);
  if (next !== undefined) output.note(`\nTry: ${next}`);
}

/** What a person would do with the environment as it is. */
function nextCommand({ name, state, services, pausedReason, generation }: Environment): string | undefined {
  if (pausedReason !== "" && generation > 1) return `drover env rollback ${name}`;
  const broken = services.find((service) => ["failed", "unhealthy"].includes(replicaStateWord(service.state)));
  const hasContainer = broken?.instances.some(({ containerId }) => containerId !== "") ?? false;
  if (broken !== undefined && hasContainer) return `drover service logs ${name} ${broken.name} --tail 50`;
  switch (environmentStateWord(state)) {
    case "converging":
    case "deleting":
      return `drover env watch ${name}`;
    case "stopped":
      return `drover service start ${name}`;
    default:
      return undefined;
  }
}
