import type { Fault } from "@drover/document/source/fault";
import { Code, ConnectError } from "@connectrpc/connect";
import { findSimilar } from "@drover/domain/similar";
import { builtIn } from "@drover/environment/built-in";
import { type EnvironmentReading, readEnvironment } from "@drover/environment/read-environment";
import type { PlanEnvironmentResponse } from "@drover/proto/drover/environment";
import type { Context } from "./command.ts";
import { renderFaults } from "./source-fault.ts";
import { isFileName, readSourceFile, type SourceFile } from "./source-file.ts";

export const environmentFile = {
  name: "FILE",
  doc: "An environment in YAML or JSON; - for standard input; lightweight for the built-in one.",
  words: ["lightweight"],
};

/** Reads the file of an environment, or takes the built-in one of that name; ./NAME is a file. */
export async function readEnvironmentFile(
  word: string,
  world: Context["world"],
  commandName: string,
): Promise<SourceFile> {
  const known = builtIn(word);
  if (known !== undefined) return { name: word, text: known.text };
  const meant = isFileName(word) ? undefined : findSimilar(word, environmentFile.words);
  return readSourceFile(word, world, meant === undefined ? `${commandName} --help` : `${commandName} ${meant}`);
}

/** Reads it without asking a server. */
export function compileEnvironment({ text }: SourceFile): EnvironmentReading {
  return readEnvironment({ text });
}

/** The faults of a plan. Our own tell more of the place, where we find them, too. */
export function faultsOfPlan({ faults }: PlanEnvironmentResponse, file: SourceFile): readonly Fault[] {
  if (faults.length === 0) return [];
  const reading = compileEnvironment(file);
  return "faults" in reading ? reading.faults : faults.map(withHint);
}

/** The faults that we find ourselves, with their places, where the server has refused a file. */
export function faultsOfRefusal(error: unknown, file: SourceFile): readonly Fault[] | undefined {
  if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument) return undefined;
  const reading = compileEnvironment(file);
  return "faults" in reading ? reading.faults : undefined;
}

/** Says on stderr what is understood and deserves a look. */
export function sayWarnings(
  { output, world }: Context,
  file: SourceFile,
  warnings: PlanEnvironmentResponse["warnings"],
) {
  if (output.isJson || warnings.length === 0) return;
  const options = { file, width: world.stderr.columns || 120, color: "yellow", paint: output.paintError } as const;
  for (const line of renderFaults(warnings.map(withHint), options)) output.complain(line);
  const count = warnings.length === 1 ? "a warning" : `${warnings.length} warnings`;
  output.complain(`${output.paintError(`${file.name} has ${count}.`, "yellow")}\n`);
}

function withHint({ message, hint, line, column, path }: PlanEnvironmentResponse["faults"][number]): Fault {
  return { message, line, column, path, ...(hint !== "" && { hint }) };
}
