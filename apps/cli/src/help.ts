import type { Command } from "./command.ts";
import { exitCodes } from "./exit.ts";
import { globalOptions, globalVariables } from "./global.ts";
import type { Option, Options } from "./option.ts";
import type { Color } from "./table.ts";

type Paint = (text: string, color: Color | undefined) => string;

/** The help of one command, of one noun, or, without words, of the whole program. */
export function renderHelp(words: readonly string[], commands: readonly Command[], paint: Paint): string {
  const name = words.join(" ");
  const command = commands.find((each) => each.name === name);
  if (command !== undefined) return commandHelp(command, paint);
  const listed = commands.filter((each) => name === "" || each.name.startsWith(`${name} `));
  const title =
    name === ""
      ? "Drover runs tasks, workflows and environments of services on hosts of your own, in containers, as processes, by models."
      : `Commands of drover ${name}.`;
  return sections([
    title,
    heading("Usage", [`drover ${name === "" ? "COMMAND" : `${name} VERB`} [flags]`], paint),
    heading("Commands", columns(listed.map((each) => [each.name, each.summary])), paint),
    ...(name === "" ? overview(paint) : []),
    `"drover ${name === "" ? "" : `${name} VERB`}${name === "" ? "COMMAND" : ""} --help" says more, with examples.`,
  ]);
}

/** How a command is written: `drover task get ID [ID...] [flags]`. */
export function usageLine({ name, positionals, rest, options }: Command): string {
  const words = positionals.map((each) => {
    const word = each.isRepeatable === true ? `${each.name}...` : each.name;
    return each.isOptional === true ? `[${word}]` : word;
  });
  const flags = Object.keys(options).length > 0 ? ["[flags]"] : [];
  return ["drover", name, ...words, ...flags, ...(rest ? [`[-- ${rest.name}]`] : [])].join(" ");
}

/** A flag with its short form and its value: `-f, --follow`, `--tail N`. */
export function flagText(name: string, { short, placeholder }: Option): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${placeholder === undefined ? "" : ` ${placeholder}`}`;
}

function commandHelp(command: Command, paint: Paint): string {
  const { summary, about, positionals, rest, options, examples } = command;
  const words = [...positionals, ...(rest ? [rest] : [])].map(({ name, doc }): [string, string] => [name, doc]);
  return sections([
    [summary, ...(about === undefined ? [] : ["", ...wrap(about, 100)])].join("\n"),
    heading("Usage", [usageLine(command)], paint),
    heading("Arguments", columns(words), paint),
    heading("Flags", columns(flagRows(options)), paint),
    heading("Flags of every command", columns(flagRows(globalOptions)), paint),
    heading(
      "Examples",
      examples.flatMap(({ line, meaning }) => [paint(`# ${meaning}`, "dim"), line]),
      paint,
    ),
  ]);
}

function overview(paint: Paint): string[] {
  const codes = Object.entries(exitCodes).map(([code, meaning]): [string, string] => [code, meaning]);
  const variables = globalVariables.map(({ name, doc, default: value }): [string, string] => [
    name,
    `${doc} Default: ${value}.`,
  ]);
  return [
    heading("Flags of every command", columns(flagRows(globalOptions)), paint),
    heading("Environment", columns(variables), paint),
    heading("Exit codes", columns(codes), paint),
  ];
}

function flagRows(options: Options): [string, string][] {
  const hasShort = Object.values(options).some(({ short }) => short !== undefined);
  return Object.entries(options).map(([name, option]) => {
    const indent = hasShort && option.short === undefined ? "    " : "";
    return [indent + flagText(name, option), option.doc + (option.isRepeatable === true ? " May be repeated." : "")];
  });
}

function heading(title: string, lines: readonly string[], paint: Paint): string {
  return lines.length === 0 ? "" : [paint(title, "bold"), ...lines.map((line) => `  ${line}`)].join("\n");
}

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
