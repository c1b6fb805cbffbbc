import { type Context, defineCommand } from "../command.ts";
import { compileEnvironment, environmentFile, readEnvironmentFile } from "../environment-source.ts";
import { countFaults, renderFaults } from "../source-fault.ts";
import { faultJson, type SourceFile } from "../source-file.ts";

const commandName = "env validate";

/** `drover env validate` */
export const envValidate = defineCommand({
  name: commandName,
  summary: "Check environments without a server: every fault, with its line.",
  about: "Exits 1 where a file has faults. Warnings tell what is understood and deserves a look; they are no faults.",
  positionals: [{ ...environmentFile, isRepeatable: true }],
  options: {},
  examples: [
    { line: "drover env validate shop.yaml", meaning: "Check a file" },
    { line: "drover env validate --json - < shop.yaml", meaning: "For an editor: faults as JSON" },
  ],
  async run(context, { positionals }) {
    const { output, world } = context;
    const verdicts: (object & { valid: boolean })[] = [];
    for (const path of positionals) {
      const file = await readEnvironmentFile(path, world, commandName);
      verdicts.push(judge(context, file));
    }
    if (output.isJson) output.json(verdicts);
    return verdicts.every(({ valid }) => valid) ? 0 : 1;
  },
});

function judge({ output, world }: Context, file: SourceFile) {
  const reading = compileEnvironment(file);
  const options = { file, width: world.stdout.columns || 120, paint: output.paint };
  const say = (lines: readonly string[]) => {
    if (!output.isJson) for (const line of lines) output.line(line);
  };
  if ("faults" in reading) {
    const { faults } = reading;
    say(renderFaults(faults, { ...options, color: "red" }));
    say([`${file.name} has ${countFaults(faults.length)}.`]);
    return { file: file.name, valid: false, faults: faults.map(faultJson), warnings: [] };
  }
  const { declaration, warnings } = reading;
  say(renderFaults(warnings, { ...options, color: "yellow" }));
  const services = declaration.services.length;
  const replicas = declaration.services.reduce((sum, service) => sum + service.replicas, 0);
  const counts = [counted(services, "service"), ...(replicas === services ? [] : [counted(replicas, "replica")])];
  if (warnings.length > 0) counts.push(counted(warnings.length, "warning"));
  say([`${file.name}: ${output.paint("valid", "green")}, environment ${declaration.name}, ${counts.join(", ")}`]);
  const facts = { name: declaration.name, services, replicas };
  return { file: file.name, valid: true, environment: facts, faults: [], warnings: warnings.map(faultJson) };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
