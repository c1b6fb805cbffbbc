import { defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import { flagOption, integerOption } from "../option.ts";
import { showWorkflow, workflowJson, workflowRow } from "../workflow-view.ts";

/** `drover workflow get` */
export const workflowGet = defineCommand({
  name: "workflow get",
  summary: "Show a workflow: what its runs are given, its steps, its source.",
  positionals: [{ name: "NAME", doc: "The workflow." }],
  options: {
    version: integerOption({ doc: "This version; else the newest.", min: 1, max: 2_147_483_647 }),
    versions: flagOption({ doc: "List its versions instead, newest first." }),
    source: flagOption({ doc: "Write its source as it was handed in, and nothing else." }),
  },
  examples: [
    { line: "drover workflow get report", meaning: "Show the newest version" },
    { line: "drover workflow get report --version 3 --source > report.yaml", meaning: "Take an older one back" },
  ],
  async run({ client, output, signal }, { positionals: [name = ""], options }) {
    if (options.versions) {
      const { workflows } = await client.workflows.listWorkflowVersions({ name }, { signal });
      if (output.isJson) output.json(workflows.map(workflowJson));
      else
        output.table(
          [
            { heading: "VERSION", align: "right" },
            { heading: "STEPS", align: "right" },
            { heading: "FORMAT" },
            { heading: "APPLIED", align: "right" },
            { heading: "BY" },
            { heading: "DESCRIPTION", isFlexible: true },
          ],
          workflows.map((workflow) => workflowRow(workflow, Date.now()).slice(1)),
        );
      return 0;
    }
    const { workflow } = await client.workflows.getWorkflow({ name, version: options.version ?? 0 }, { signal });
    if (workflow === undefined) throw notAnswered("a workflow");
    if (output.isJson) output.json(workflowJson(workflow));
    else if (options.source) output.raw(workflow.source.replace(/\n?$/, "\n"), "stdout");
    else showWorkflow(workflow, output, Date.now());
    return 0;
  },
});
