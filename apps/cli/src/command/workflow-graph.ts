import { refuseFile } from "../apply-file.ts";
import { type Context, defineCommand } from "../command.ts";
import { notAnswered } from "../fault.ts";
import { graphColumns, graphDot, graphMermaid, graphRows } from "../graph-text.ts";
import { type GraphStep, stepsOfGraph } from "../graph-view.ts";
import { integerOption, textOption } from "../option.ts";
import { compile, isFileName, readWorkflowFile, stepsOfWorkflow } from "../workflow-source.ts";

const commandName = "workflow graph";
const formats = ["tree", "mermaid", "dot"] as const;

/** `drover workflow graph` */
export const workflowGraph = defineCommand({
  name: commandName,
  summary: "Draw a workflow's graph.",
  about:
    "As a tree, steps that follow each other stand below each other, branches are indented, and a step where ways come " +
    "together stands at the column where they parted. A file is drawn without a server.",
  positionals: [{ name: "NAME|FILE", doc: "A saved workflow, or a file." }],
  options: {
    format: textOption({
      doc: "How; a tree without it.",
      placeholder: formats.join("|"),
      pattern: new RegExp(`^(${formats.join("|")})$`),
      expects: `one of ${formats.join(", ")}`,
    }),
    version: integerOption({ doc: "This version; else the newest.", min: 1, max: 2_147_483_647 }),
  },
  examples: [
    { line: "drover workflow graph report", meaning: "Draw it in the terminal" },
    {
      line: "drover workflow graph report.yaml --format dot | dot -Tsvg > report.svg",
      meaning: "Draw a file with Graphviz",
    },
  ],
  async run(context, { positionals: [word = ""], options }) {
    const { output } = context;
    const found = isFileName(word)
      ? await graphOfFile(context, word)
      : await graphOfName(context, word, options.version);
    if (found === undefined) return 2;
    const { title, steps } = found;
    if (output.isJson) output.json({ workflow: title, steps });
    else if (options.format === "mermaid") graphMermaid(steps).forEach(output.line);
    else if (options.format === "dot") graphDot(steps, title).forEach(output.line);
    else {
      output.line(`${output.paint(title, "bold")}\n`);
      output.table(graphColumns, graphRows(steps));
    }
    return 0;
  },
});

interface Drawn {
  title: string;
  steps: GraphStep[];
}

async function graphOfFile(context: Context, path: string): Promise<Drawn | undefined> {
  const file = await readWorkflowFile(path, context.world, commandName);
  const reading = compile(file, undefined);
  if (!("faults" in reading)) return { title: reading.definition.name, steps: stepsOfGraph(reading.definition) };
  refuseFile(context, file, reading.faults);
  return undefined;
}

async function graphOfName({ client, signal }: Context, name: string, version = 0): Promise<Drawn> {
  const { workflow } = await client.workflows.getWorkflow({ name, version }, { signal });
  if (workflow === undefined) throw notAnswered("a workflow");
  return { title: `${workflow.name} version ${workflow.version}`, steps: stepsOfWorkflow(workflow) };
}
