import type { Declaration } from "@drover/domain/environment/declaration";
import type { Json } from "@drover/domain/json";
import type { Fault } from "@drover/document/source/fault";
import { readObject } from "@drover/document/source/object";
import { createLines } from "@drover/document/source/position";
import { createReport } from "@drover/document/source/report";
import { readText } from "@drover/document/source/text";
import { fieldOf } from "@drover/document/source/value";
import { compileEnvironment } from "./environment.ts";

export interface EnvironmentSource {
  /** YAML 1.2 or JSON as it was written; or the JSON value, for callers that have no text: faults then have no lines. */
  text?: string;
  json?: Json;
}

export type EnvironmentReading =
  | { declaration: Declaration; warnings: readonly Fault[] }
  | { faults: readonly Fault[] };

/** Reads the declaration of an environment, or says everything that is wrong with it. */
export function readEnvironment({ text, json }: EnvironmentSource): EnvironmentReading {
  const report = createReport(text === undefined ? undefined : createLines(text));
  const document = text === undefined ? readObject(json ?? null, report) : readText(text, report, "an environment");
  const kind = document && fieldOf(document, "drover");
  // What every line of it is wrong for has but one cause.
  if (typeof kind?.json === "string" && kind.json.startsWith("workflow/")) {
    report.add(kind, `Expected an environment, got a workflow (${kind.json}).`, { hint: otherHint });
    return { faults: report.faults };
  }
  const declaration = document && compileEnvironment(document, report);
  const { faults, warnings } = report;
  if (declaration !== undefined && faults.length === 0) return { declaration, warnings };
  return { faults: faults.length > 0 ? faults : [unexplained] };
}

const otherHint = 'Check it with "drover workflow validate".';

const unexplained: Fault = {
  message: "Expected an environment, got a document that is none.",
  line: 0,
  column: 0,
  path: "",
};
