import type { Command } from "../command.ts";
import { globalOptions } from "../global.ts";
import type { Option } from "../option.ts";

/** A word that may stand next, and what it means. */
export type Entry = readonly [word: string, doc: string];

/** The first words: commands of one word, and nouns. */
export function firstEntries(commands: readonly Command[]): Entry[] {
  const verbs = new Map(nouns(commands));
  const entries = new Map<string, string>();
  for (const { name, summary } of commands) {
    const [noun = ""] = name.split(" ");
    entries.set(noun, verbs.get(noun)?.join(", ") ?? summary);
  }
  return [...entries];
}

/** Each noun with its verbs. */
export function nouns(commands: readonly Command[]): [noun: string, verbs: string[]][] {
  const found = new Map<string, string[]>();
  for (const { name } of commands) {
    const [noun = "", verb] = name.split(" ");
    if (verb !== undefined) found.set(noun, [...(found.get(noun) ?? []), verb]);
  }
  return [...found];
}

/** The verbs of a noun. */
export function verbEntries(noun: string, commands: readonly Command[]): Entry[] {
  return commands.flatMap(({ name, summary }) =>
    name.startsWith(`${noun} `) ? [[name.slice(noun.length + 1), summary]] : [],
  );
}

/** What may stand after a command: known words, and its flags. */
export function entriesOf({ positionals, options }: Command): Entry[] {
  const words = positionals.flatMap(({ words: known = [], doc }) => known.map((word): Entry => [word, doc]));
  return [...words, ...flagEntries(options)];
}

/** Flags with their meaning, those of every command included. */
export function flagEntries(options: Command["options"]): Entry[] {
  return Object.entries<Option>({ ...options, ...globalOptions }).map(([name, { doc }]): Entry => [`--${name}`, doc]);
}

/** Every flag that takes a value, as it is typed. */
export function valueFlags(commands: readonly Command[]): { typed: string[]; option: Option }[] {
  const all = [globalOptions, ...commands.map(({ options }) => options)].flatMap((each) =>
    Object.entries<Option>(each),
  );
  return [...new Map(all)].flatMap(([name, option]) => {
    if (option.placeholder === undefined) return [];
    return { typed: [`--${name}`, ...(option.short === undefined ? [] : [`-${option.short}`])], option };
  });
}

/** The pattern of a `case` that tells a command by its first two words. */
export function pathPattern({ name }: Command): string {
  return name.includes(" ") ? `"${name}"` : `"${name} "*`;
}
