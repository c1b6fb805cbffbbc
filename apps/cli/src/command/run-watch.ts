import { defineCommand } from "../command.ts";
import { waitForRun } from "../run-wait.ts";

/** `drover workflow watch` */
export const workflowWatch = watchCommand("workflow watch");

/** `drover run watch` */
export const runWatch = watchCommand("run watch");

function watchCommand(name: string) {
  return defineCommand({
    name,
    summary: "Follow a run until it has ended: its graph, alive.",
    about:
      "On a terminal the graph is drawn again in its place as steps begin and end; elsewhere each change is a line, and with " +
      "--json one JSON object. Exits 0 when the run completed, 1 when it failed, completed in part or was cancelled.",
    positionals: [{ name: "RUN", doc: "The run to follow." }],
    options: {},
    examples: [
      { line: `drover ${name} run-000655a1b2c3d4e5`, meaning: "Follow a run" },
      { line: `drover ${name} run-000655a1b2c3d4e5 --json | jq -r .state`, meaning: "One JSON object for each change" },
    ],
    run: (context, { positionals: [id = ""] }) => waitForRun(context, id, { isWatched: true }),
  });
}
