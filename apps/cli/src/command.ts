import type { Client } from "./client.ts";
import type { ExitCode } from "./exit.ts";
import type { Options, OptionValues } from "./option.ts";
import type { Output } from "./output.ts";
import type { World } from "./world.ts";

/** One thing that `drover` can do. Help, completion, docs/cli.md and the parser are all made from it. */
export interface Command<O extends Options = Options> {
  /** As it is typed: "task submit". */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More of it, for its own help. */
  readonly about?: string;
  readonly positionals: readonly Positional[];
  /** What stands after `--`. */
  readonly rest?: { name: string; doc: string };
  readonly options: O;
  readonly examples: readonly Example[];
  run(context: Context, input: Input<O>): Promise<ExitCode>;
}

export interface Positional {
  name: string;
  doc: string;
  isOptional?: boolean;
  isRepeatable?: boolean;
  words?: readonly string[];
}

export interface Example {
  line: string;
  meaning: string;
}

/** What was typed, read and checked. */
export interface Input<O extends Options = Options> {
  positionals: readonly string[];
  rest: readonly string[];
  options: OptionValues<O>;
}

/** What a command works with. */
export interface Context {
  world: World;
  output: Output;
  client: Client;
  /** All that there are. */
  commands: readonly Command[];
  /** Aborted by an interruption, and when the deadline of the command passes. */
  signal: AbortSignal;
}

/** Declares a command; the types of its options reach its `run`. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command;
}
