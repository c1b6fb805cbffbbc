import { commands } from "./catalog.ts";
import type { Command } from "./command.ts";
import { exitCodes } from "./exit.ts";
import { globalOptions, globalVariables } from "./global.ts";
import { flagText, usageLine } from "./help.ts";
import type { Options } from "./option.ts";

/** docs/cli.md, made from the same table as the program itself. */
export function renderCliPage(): string {
  const codes = Object.entries(exitCodes).map(([code, meaning]) => [
    code,
    `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.`,
  ]);
  return [
    "# The drover command line",
    "Generated from the table of commands in `apps/cli/src/catalog.ts` by `npm run generate`: do not edit.",
    'In a clone, `npm run drover -- COMMAND` runs it; so does `node apps/cli/src/main.ts COMMAND`. Results go to stdout, as tables for people or, with `--json`, as one JSON document; `task watch`, `task logs`, `task submit --file`, `service logs`, `service health`, `image pull` and, for each change, `workflow watch` and `env watch` write one JSON document a line. Errors, remarks and progress go to stderr; an error is a sentence, the faults by field where there are several, and the next command to try. With `--json` it is `{"error": {"reason", "message", "fields", "try"}}`.',
    table(
      ["Command", "What it does"],
      commands.map(({ name, summary }) => [`[\`${name}\`](#${anchor(name)})`, summary]),
    ),
    "## Flags of every command",
    flagTable(globalOptions),
    "A duration is a number with a unit (`250ms`, `30s`, `5m`, `2h`, `7d`), in seconds without one; a size is one in powers of 1024 (`512m`, `2g`). `--help` stands behind every command. Flags may stand before or after the words of a command, and `--` ends them.",
    "## Environment",
    table(
      ["Variable", "Default", "Meaning"],
      globalVariables.map(({ name, doc, default: value }) => [`\`${name}\``, `\`${value}\``, doc]),
    ),
    "A server with a certificate of your own authority needs `NODE_EXTRA_CA_CERTS`.",
    "## Exit codes",
    table(["Code", "Meaning"], codes),
    "Reads are repeated up to three times when the API does not answer; `task watch`, `task logs --follow` and `workflow watch` go on over a restart of it. Writes are not repeated: give a task an `--id` or a `--key`, and a run a `--key`, then you can.",
    ...commands.flatMap(commandSection),
    "",
  ].join("\n\n");
}

function commandSection(command: Command): string[] {
  const { name, summary, about, positionals, rest, options, examples } = command;
  const words = [...positionals, ...(rest === undefined ? [] : [rest])].map((each) => [`\`${each.name}\``, each.doc]);
  return [
    `## ${name}`,
    [summary, about].filter(Boolean).join(" "),
    fence([usageLine(command)]),
    ...(words.length > 0 ? [table(["Argument", "Meaning"], words)] : []),
    ...(Object.keys(options).length > 0 ? [flagTable(options)] : []),
    ...(examples.length > 0 ? [fence(examples.flatMap(({ line, meaning }) => [`# ${meaning}`, line]))] : []),
  ];
}

function flagTable(options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => [
    `\`${flagText(name, option)}\``,
    [
      option.doc,
      option.placeholder === undefined || option.expects === "a text" ? "" : `Expects ${option.expects}.`,
      option.isRepeatable === true ? "May be repeated." : "",
    ]
      .filter(Boolean)
      .join(" "),
  ]);
  return table(["Flag", "Meaning"], rows);
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}

function fence(lines: readonly string[]): string {
  return ["```sh", ...lines, "```"].join("\n");
}

function anchor(name: string): string {
  return name.replaceAll(" ", "-");
}
