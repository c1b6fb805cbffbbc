import { DroverError } from "@drover/domain/error";
import { findSimilar } from "@drover/domain/similar";
import type { Command, Input } from "./command.ts";
import { globalOptions, type GlobalValues } from "./global.ts";
import { type Flag, lex, type Lexed } from "./lex.ts";
import type { Options } from "./option.ts";

export type Parsed =
  | { kind: "run"; command: Command; input: Input; globals: GlobalValues }
  /** The words name a command, a noun with several commands, or nothing: then all of them are meant. */
  | { kind: "help"; words: string[] };

interface Fault {
  field: string;
  message: string;
}

/** Reads a command line against the table of commands; throws one error that lists every fault. */
export function parseCommandLine(args: readonly string[], commands: readonly Command[]): Parsed {
  if (args.length === 1 && args[0] === "--version") return parseCommandLine(["version"], commands);
  const lexed = lex(args, knownOptions(commands));
  const [first, ...others] = lexed.words;
  if (first === "help") return { kind: "help", words: helpWords(others, commands) };
  if (isHelpWanted(lexed, commands)) return { kind: "help", words: helpWords(lexed.words, commands) };
  const command = findCommand(lexed.words, commands);
  if (command === undefined) throw unknownCommand(lexed.words, commands);

  const faults: Fault[] = [];
  const options = { ...globalOptions, ...command.options };
  const values = readOptions(lexed.flags, options, faults);
  const words = lexed.words.slice(command.name.split(" ").length);
  const positionals = command.rest === undefined ? [...words, ...(lexed.rest ?? [])] : words;
  faults.push(...judgePositionals(positionals, command));
  if (faults.length > 0) throw usageError(command.name, faults);
  const rest = command.rest === undefined ? [] : (lexed.rest ?? []);
  // The one cast: each value was read by its own option.
  return { kind: "run", command, input: { positionals, rest, options: values }, globals: values as GlobalValues };
}

/** A usage fault of a command, with its help as the next step. */
export function usageError(name: string, faults: readonly Fault[]): DroverError {
  const message = faults.length === 1 ? (faults[0]?.message ?? "") : `The command line has ${faults.length} faults.`;
  return new DroverError("invalid", message, {
    hint: `drover ${name} --help`,
    ...(faults.length > 1 && { fields: [...faults] }),
  });
}

/** Every flag of every command. */
export function knownOptions(commands: readonly Command[]): Options {
  return Object.assign({}, globalOptions, ...commands.map(({ options }) => options)) as Options;
}

/** The command that the first words name. */
export function findCommand(words: readonly string[], commands: readonly Command[]): Command | undefined {
  const [noun, verb] = words;
  return commands.find(({ name }) => name === `${noun} ${verb}`) ?? commands.find(({ name }) => name === noun);
}

function isHelpWanted({ words, flags }: Lexed, commands: readonly Command[]): boolean {
  const isNounAlone = words.length === 1 && commands.some(({ name }) => name.startsWith(`${words[0]} `));
  return words.length === 0
    ? flags.every(({ name }) => name in globalOptions)
    : isNounAlone || flags.some(({ name }) => name === "help");
}

function helpWords(words: readonly string[], commands: readonly Command[]): string[] {
  const command = findCommand(words, commands);
  if (command !== undefined) return command.name.split(" ");
  const [noun] = words;
  if (noun === undefined) return [];
  if (words.length === 1 && commands.some(({ name }) => name.startsWith(`${noun} `))) return [noun];
  throw unknownCommand(words, commands);
}

function unknownCommand(words: readonly string[], commands: readonly Command[]): DroverError {
  const [noun = "", verb = ""] = words;
  const verbs = commands
    .filter(({ name }) => name.startsWith(`${noun} `))
    .map(({ name }) => name.slice(noun.length + 1));
  if (verbs.length > 0) {
    const similar = findSimilar(verb, verbs);
    return new DroverError(
      "invalid",
      `Expected one of ${verbs.join(", ")} after "${noun}", got "${verb}".${didYouMean(similar)}`,
      {
        hint: similar === undefined ? `drover ${noun} --help` : `drover ${noun} ${similar} --help`,
      },
    );
  }
  const nouns = [...new Set(commands.map(({ name }) => name.split(" ")[0] ?? ""))];
  const similar = findSimilar(noun, nouns);
  const got = noun === "" ? "none" : `"${noun}"`;
  return new DroverError("invalid", `Expected a command, got ${got}.${didYouMean(similar)}`, {
    hint: similar === undefined ? "drover --help" : `drover ${similar} --help`,
  });
}

function readOptions(flags: readonly Flag[], options: Options, faults: Fault[]): Record<string, unknown> {
  for (const { name, typed } of flags) {
    if (Object.hasOwn(options, name)) continue;
    const similar = findSimilar(name, Object.keys(options));
    const message = `There is no flag ${typed} here.${didYouMean(similar === undefined ? undefined : `--${similar}`)}`;
    faults.push({ field: typed, message });
  }
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => {
      const given = flags.filter((flag) => flag.name === name);
      const fault = (message: string) => void faults.push({ field: `--${name}`, message });
      const takesValue = option.placeholder !== undefined;
      for (const { typed, value } of given) {
        if (takesValue && value === undefined) fault(`Expected ${option.expects} after ${typed}, got nothing.`);
        if (!takesValue && value !== undefined) fault(`Expected no value for ${typed}, got "${value}".`);
      }
      if (given.length > 1 && takesValue && option.isRepeatable !== true)
        fault(`Expected --${name} once, got it ${given.length} times.`);
      const reading = option.read(given.flatMap(({ value }) => (takesValue ? (value ?? []) : "")));
      if ("value" in reading) return [name, reading.value];
      fault(`Expected ${option.expects} for --${name}, got "${reading.wrong}".`);
      return [name, undefined];
    }),
  );
}

function judgePositionals(words: readonly string[], command: Command): Fault[] {
  const { positionals } = command;
  const missing = positionals.filter(({ isOptional }, index) => isOptional !== true && index >= words.length);
  const faults = missing.map(({ name, doc }) => ({ field: name, message: `Expected ${name}: ${doc}` }));
  const isOpen = positionals.at(-1)?.isRepeatable === true;
  const extra = words[positionals.length];
  if (extra === undefined || isOpen) return faults;
  const advice = command.rest === undefined ? "" : ` Put ${command.rest.name.toLowerCase()} after "--".`;
  return [...faults, { field: extra, message: `Expected nothing more, got "${extra}".${advice}` }];
}

function didYouMean(word: string | undefined): string {
  return word === undefined ? "" : ` Did you mean "${word}"?`;
}
