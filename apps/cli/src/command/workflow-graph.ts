import { DroverError } from "@drover/domain/error";
import type { Definition } from "@drover/domain/workflow/definition";
import { toGraph } from "@drover/workflow/graph-text";
import { type Context, defineCommand } from "../command.ts";
import type { ExitCode } from "../exit.ts";
import { notAnswered } from "../fault.ts";
import { graphColumns, graphRows } from "../graph-tree.ts";
import { type GraphStep, stepsOfGraph, stepsOfMessage } from "../graph-view.ts";
import { integerOption, textOption } from "../option.ts";
import { refuseFile } from "../source-fault.ts";
import { isFileName, readSourceFile } from "../source-file.ts";
import { compile } from "../workflow-source.ts";

const commandName = "workflow graph";
const formats = ["tree", "mermaid", "dot"] as const;

/** `drover workflow graph` */
export const workflowGraph = defineCommand({
  name: commandName,
  summary: "Draw a workflow's graph.",
  about:
    "In the tree, steps that follow each other stand below each other, branches are indented, and a step where ways come " +
    "together stands at the column where they parted. A file is drawn without a server.",
  positionals: [{ name: "NAME|FILE", doc: "A saved workflow, or a file; - for standard input." }],
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
    const { format } = options;
    const found = isFileName(word) ? await drawFile(context, word) : await drawName(context, word, options.version);
    if ("code" in found) return found.code;
    const { title, steps, definition } = found;
    if (format === "mermaid" || format === "dot") {
      if (definition === undefined) throw unreadable(word);
      const text = toGraph(definition, { format });
      if (output.isJson) output.json({ workflow: title, format, text });
      else output.raw(text, "stdout");
    } else if (output.isJson) output.json({ workflow: title, steps });
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
  /** Absent where only the server can read the source. */
  definition?: Definition;
}

async function drawFile(context: Context, path: string): Promise<Drawn | { code: ExitCode }> {
  const file = await readSourceFile(path, context.world, `${commandName} --help`);
  const reading = compile(file, undefined);
  if ("faults" in reading)
    return { code: refuseFile(context, { file, faults: reading.faults, hint: `drover workflow validate ${path}` }) };
  const { definition } = reading;
  return { title: definition.name, steps: stepsOfGraph(definition), definition };
}

async function drawName({ client, signal }: Context, name: string, version = 0): Promise<Drawn> {
  const { workflow } = await client.workflows.getWorkflow({ name, version }, { signal });
  if (workflow === undefined) throw notAnswered("a workflow");
  const title = `${workflow.name} version ${workflow.version}`;
  const reading = compile({ name, text: workflow.source }, workflow.format);
  if ("faults" in reading) return { title, steps: stepsOfMessage(workflow) };
  return { title, steps: stepsOfGraph(reading.definition), definition: reading.definition };
}

function unreadable(name: string): DroverError {
  const message = `Expected a source of workflow "${name}" that this program can read, got one that is newer than it.`;
  return new DroverError("unimplemented", message, { hint: `drover workflow graph ${name} --format tree` });
}
