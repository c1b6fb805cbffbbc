import type { Fault } from "@drover/document/source/fault";
import type { Declaration } from "@drover/domain/environment/declaration";
import { DroverError } from "@drover/domain/error";
import { builtIn } from "@drover/environment/built-in";
import { readEnvironment } from "@drover/environment/read-environment";

export type SourceReading =
  | { text: string; declaration: Declaration; warnings: readonly Fault[] }
  | { faults: readonly Fault[] };

/** Reads the text of an environment, or takes the built-in one of that name. */
export function readSource(source: string): SourceReading {
  const known = builtIn(source.trim());
  if (known !== undefined) return { ...known, warnings: [] };
  const read = readEnvironment({ text: source });
  return "faults" in read ? read : { text: source, ...read };
}

/** The error for a source with faults: every one of them, with its place. */
export function environmentFault(faults: readonly Fault[]): DroverError {
  const lines = faults.map((fault) => `${fault.line}:${fault.column} ${fault.message}`);
  return new DroverError(
    "invalid",
    `The environment has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}: ${lines.join(" ")}`,
    {
      fields: faults.map((fault) => ({
        field: fault.path === "" ? "source" : `source.${fault.path}`,
        message: `line ${fault.line}, column ${fault.column}: ${fault.message}${fault.hint === undefined ? "" : ` ${fault.hint}`}`,
      })),
      hint: 'Check it with "drover env validate FILE".',
    },
  );
}
