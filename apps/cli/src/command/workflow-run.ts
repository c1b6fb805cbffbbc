import { applyFile, faultsOf } from "../apply-file.ts";
import { type Context, defineCommand } from "../command.ts";
import type { ExitCode } from "../exit.ts";
import { flagOption, integerOption, pairsOption, textOption } from "../option.ts";
import { inputOptions, readInput } from "../run-input.ts";
import { waitForRun } from "../run-wait.ts";
import { refuseFile } from "../source-fault.ts";
import { isFileName, readSourceFile } from "../source-file.ts";

const commandName = "workflow run";

/** `drover workflow run` */
export const workflowRun = defineCommand({
  name: commandName,
  summary: "Start a run of a workflow, or of a file.",
  about:
    "The id of the run is written to stdout. A file, which is a word with a slash or that ends in .yaml, .yml or .json, is " +
    "saved first, as by workflow apply.",
  positionals: [{ name: "NAME|FILE", doc: "A saved workflow, or a file; - for standard input." }],
  options: {
    ...inputOptions,
    version: integerOption({ doc: "This version; else the newest.", min: 1, max: 2_147_483_647 }),
    key: textOption({ doc: "Makes a repeated start safe: the same key returns the first run.", placeholder: "KEY" }),
    label: pairsOption({ doc: "A label, to find it by.", short: "l" }),
    watch: flagOption({ doc: "Follow it until it has ended: its graph, alive." }),
    wait: flagOption({ doc: "Wait until it has ended; exit 0 if it completed, 1 if not.", short: "w" }),
  },
  examples: [
    {
      line: "drover workflow run report -i folder=/srv/documents -i limit=20 --watch",
      meaning: "Start a run and follow it",
    },
    { line: "drover workflow run report.yaml --input input.json", meaning: "Save a file and run it" },
    {
      line: "drover workflow run report --key 2026-01-31 --wait --json | jq .output",
      meaning: "Once a day at most; take its output",
    },
    { line: `drover workflow run report -i 'name="42"'`, meaning: "A text that would be read as a number" },
  ],
  async run(context, { positionals: [word = ""], options }) {
    const { client, output, signal, world } = context;
    const input = await readInput(options, world, commandName);
    const saved = isFileName(word) ? await save(context, word) : { name: word, version: options.version ?? 0 };
    if ("code" in saved) return saved.code;
    const { id, created } = await client.runs.startRun(
      { workflow: saved.name, version: saved.version, input, idempotencyKey: options.key ?? "", labels: options.label },
      { signal },
    );
    const isFollowed = options.watch || options.wait;
    if (!output.isJson && !(options.watch && output.isTerminal)) output.line(id);
    else if (output.isJson && !isFollowed) output.json({ id, created, workflow: saved.name, version: saved.version });
    if (!created) output.note("It had been started before.");
    if (isFollowed) return waitForRun(context, id, { isWatched: options.watch });
    output.note(`Try: drover workflow watch ${id}`);
    return 0;
  },
});

/** Saves a file, and says so where that made a version; where it has faults, they were told. */
async function save(context: Context, path: string): Promise<{ name: string; version: number } | { code: ExitCode }> {
  const file = await readSourceFile(path, context.world, `${commandName} --help`);
  try {
    const { workflow, created } = await applyFile(context, file, undefined);
    if (created) context.output.note(`Saved ${workflow.name} version ${workflow.version}.`);
    return workflow;
  } catch (error) {
    const faults = faultsOf(error, file, undefined);
    if (faults === undefined) throw error;
    return { code: refuseFile(context, { file, faults, hint: `drover workflow validate ${path}` }) };
  }
}
