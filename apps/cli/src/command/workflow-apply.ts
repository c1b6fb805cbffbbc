import { applyFile, faultsOf } from "../apply-file.ts";
import { defineCommand } from "../command.ts";
import { type ExitCode, exitCodeOf } from "../exit.ts";
import { toFault } from "../fault.ts";
import { refuseFile } from "../source-fault.ts";
import { faultJson, readSourceFile } from "../source-file.ts";
import { fileArgument, sourceOptions } from "../workflow-source.ts";
import { workflowJson } from "../workflow-view.ts";

const commandName = "workflow apply";

/** `drover workflow apply` */
export const workflowApply = defineCommand({
  name: commandName,
  summary: "Save workflows as new versions.",
  about:
    "A version never changes, and runs keep theirs; a file that is equal to the newest version saves nothing. " +
    "One that has faults is refused with all of them, and holds up no other file.",
  positionals: [{ ...fileArgument, isRepeatable: true }],
  options: sourceOptions,
  examples: [
    { line: "drover workflow apply report.yaml", meaning: "Save a workflow" },
    { line: "drover workflow apply flow/*.yaml", meaning: "Save all of a folder" },
  ],
  async run(context, { positionals, options }) {
    const { output } = context;
    const answers: object[] = [];
    let code: ExitCode = 0;
    for (const path of positionals) {
      const file = await readSourceFile(path, context.world, `${commandName} --help`);
      try {
        const { workflow, created } = await applyFile(context, file, options.format);
        answers.push({ file: file.name, created, workflow: { ...workflowJson(workflow), source: undefined } });
        const said = created ? "saved" : "was there already";
        if (!output.isJson) output.line(`${workflow.name} version ${workflow.version}  ${said}`);
        if (positionals.length === 1) output.note(`Try: drover workflow run ${quoted(workflow.name)} --watch`);
      } catch (error) {
        const faults = faultsOf(error, file, options.format);
        const fault = toFault(error, { address: context.client.address, commandName });
        if (faults === undefined && (positionals.length === 1 || fault.reason === "unavailable")) throw error;
        answers.push({
          file: file.name,
          error: { reason: fault.reason, message: fault.message },
          faults: faults?.map(faultJson) ?? [],
        });
        code = faults === undefined ? exitCodeOf(fault.reason) : 1;
        if (output.isJson) continue;
        if (faults === undefined)
          output.complain(`${file.name}: ${output.paintError("Error:", "red")} ${fault.message}`);
        else refuseFile(context, { file, faults, hint: `drover workflow validate ${path}` });
      }
    }
    if (output.isJson) output.json(answers);
    return code;
  },
});

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}
