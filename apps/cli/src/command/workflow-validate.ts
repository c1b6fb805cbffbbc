import { type Context, defineCommand } from "../command.ts";
import { countFaults, renderFaults } from "../source-fault.ts";
import { faultJson, readSourceFile, type SourceFile } from "../source-file.ts";
import { compile, fileArgument, sourceOptions } from "../workflow-source.ts";

const commandName = "workflow validate";

/** `drover workflow validate` */
export const workflowValidate = defineCommand({
  name: commandName,
  summary: "Check workflows without a server: every fault, with its line.",
  about: "Exits 1 where a file has faults. Warnings tell what is understood and does nothing here; they are no faults.",
  positionals: [{ ...fileArgument, isRepeatable: true }],
  options: sourceOptions,
  examples: [
    { line: "drover workflow validate report.yaml", meaning: "Check a file" },
    { line: "drover workflow validate --json - < report.yaml", meaning: "For an editor: faults as JSON" },
  ],
  async run(context, { positionals, options }) {
    const { output, world } = context;
    const verdicts: (object & { valid: boolean })[] = [];
    for (const path of positionals) {
      const file = await readSourceFile(path, world, `${commandName} --help`);
      verdicts.push(judge(context, file, options.format));
    }
    if (output.isJson) output.json(verdicts);
    return verdicts.every(({ valid }) => valid) ? 0 : 1;
  },
});

function judge({ output, world }: Context, file: SourceFile, format: string | undefined) {
  const reading = compile(file, format);
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
  const { definition, warnings } = reading;
  say(renderFaults(warnings, { ...options, color: "yellow" }));
  const steps = definition.steps.length;
  const count = steps === 1 ? "1 step" : `${steps} steps`;
  const remarks = warnings.length === 0 ? "" : warnings.length === 1 ? ", 1 warning" : `, ${warnings.length} warnings`;
  say([
    `${file.name}: ${output.paint("valid", "green")}, workflow ${definition.name}, ${count}, format ${reading.format}${remarks}`,
  ]);
  const facts = { name: definition.name, format: reading.format, steps };
  return { file: file.name, valid: true, workflow: facts, faults: [], warnings: warnings.map(faultJson) };
}
