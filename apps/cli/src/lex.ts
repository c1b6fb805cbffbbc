import { parseArgs } from "node:util";
import type { Options } from "./option.ts";

/** A command line in its parts, before anyone knows which command it is. */
export interface Lexed {
  words: string[];
  /** What stands after `--`; undefined without one. */
  rest: string[] | undefined;
  flags: Flag[];
}

export interface Flag {
  /** Without dashes, the long form where one is known. */
  name: string;
  /** As it was typed. */
  typed: string;
  value: string | undefined;
}

/**
 * Cuts a command line into words and flags. `known` holds the flags of all commands together, so that flags may stand
 * before the command: a flag therefore takes a value in all commands or in none.
 */
export function lex(args: readonly string[], known: Options): Lexed {
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { placeholder, short }]) => [
      name,
      { type: placeholder === undefined ? ("boolean" as const) : ("string" as const), ...(short && { short }) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true, allowPositionals: true });
  const end = tokens.find((token) => token.kind === "option-terminator")?.index ?? args.length;
  const words = tokens.flatMap((token) => (token.kind === "positional" && token.index < end ? [token.value] : []));
  const flags = tokens.flatMap((token): Flag[] => {
    if (token.kind !== "option") return [];
    const { name, rawName: typed, value, inlineValue } = token;
    // A value in a word of its own that begins with two dashes is the next flag: this one was left without.
    const isSwallowed = inlineValue === false && value.startsWith("--");
    return [{ name, typed, value: isSwallowed ? undefined : value }];
  });
  return { words, rest: end < args.length ? args.slice(end + 1) : undefined, flags };
}
