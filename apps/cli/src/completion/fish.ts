import type { Command } from "../command.ts";
import { globalOptions } from "../global.ts";
import type { Option } from "../option.ts";
import { firstEntries, nouns, verbEntries } from "./entry.ts";

/** The completion script for fish. */
export function renderFish(commands: readonly Command[]): string {
  const first = firstEntries(commands);
  const noneYet = `not __fish_seen_subcommand_from ${first.map(([word]) => word).join(" ")}`;
  return [
    "# Completion of drover for fish. Load it with: drover completion fish | source",
    "complete -c drover -f",
    ...first.map(([word, doc]) => `complete -c drover -n "${noneYet}" -a ${word} -d ${quote(doc)}`),
    ...nouns(commands).flatMap(([noun, verbs]) => {
      const condition = `__fish_seen_subcommand_from ${noun}; and not __fish_seen_subcommand_from ${verbs.join(" ")}`;
      return verbEntries(noun, commands).map(
        ([verb, doc]) => `complete -c drover -n "${condition}" -a ${verb} -d ${quote(doc)}`,
      );
    }),
    ...commands.flatMap(commandLines),
    ...Object.entries<Option>(globalOptions).map(([name, option]) => `complete -c drover ${flag(name, option)}`),
    "",
  ].join("\n");
}

function commandLines({ name, options, positionals }: Command): string[] {
  const condition = name
    .split(" ")
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join("; and ");
  const words = positionals.flatMap(({ words: known = [] }) => known);
  return [
    ...Object.entries(options).map(([each, option]) => `complete -c drover -n "${condition}" ${flag(each, option)}`),
    ...(words.length > 0 ? [`complete -c drover -n "${condition}" -a "${words.join(" ")}"`] : []),
  ];
}

function flag(name: string, { short, placeholder, words, isFile, doc }: Option): string {
  const value = isFile === true ? " -r -F" : words === undefined ? " -x" : ` -x -a "${words.join(" ")}"`;
  return `-l ${name}${short === undefined ? "" : ` -s ${short}`}${placeholder === undefined ? "" : value} -d ${quote(doc)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
