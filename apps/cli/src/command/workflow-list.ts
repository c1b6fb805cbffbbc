import type { Workflow } from "@drover/proto/drover/workflow";
import { defineCommand } from "../command.ts";
import { workflowColumns, workflowJson, workflowRow } from "../workflow-view.ts";

/** `drover workflow list` */
export const workflowList = defineCommand({
  name: "workflow list",
  summary: "List the workflows, each in its newest version.",
  positionals: [],
  options: {},
  examples: [{ line: "drover workflow list", meaning: "See what can be run" }],
  async run({ client, output, signal }) {
    const workflows: Workflow[] = [];
    let pageToken = "";
    do {
      const page = await client.workflows.listWorkflows({ pageSize: 1000, pageToken }, { signal });
      workflows.push(...page.workflows);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    if (output.isJson) output.json(workflows.map(workflowJson));
    else if (workflows.length === 0) output.note("There are no workflows. Try: drover workflow apply FILE");
    else
      output.table(
        workflowColumns,
        workflows.map((workflow) => workflowRow(workflow, Date.now())),
      );
    return 0;
  },
});
