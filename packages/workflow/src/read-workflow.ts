import type { Json } from "@drover/domain/json";
import type { Definition, WorkflowFormat } from "@drover/domain/workflow/definition";
import { compileEngine } from "./agent-orchestration-engine/workflow.ts";
import { compileConfigurable } from "./configurable-agents/workflow.ts";
import { compileDrover } from "./drover/workflow.ts";
import { compileDspy } from "./dspy/workflow.ts";
import { recogniseFormat } from "./format.ts";
import type { Fault } from "@drover/document/source/fault";
import { readObject } from "@drover/document/source/object";
import { createLines } from "@drover/document/source/position";
import { createReport, type Report } from "@drover/document/source/report";
import { readText } from "@drover/document/source/text";
import type { Value } from "@drover/document/source/value";

export type { Fault } from "@drover/document/source/fault";

export interface WorkflowSource {
  /** YAML 1.2 or JSON as it was written; or the JSON value, for callers that have no text: faults then have no lines. */
  text?: string;
  json?: Json;
  /** Absent: recognised by what the document says. */
  format?: WorkflowFormat;
}

export type WorkflowReading =
  | { definition: Definition; format: WorkflowFormat; warnings: readonly Fault[] }
  | { faults: readonly Fault[] };

const compilers: Record<WorkflowFormat, (document: Value, report: Report) => Definition | undefined> = {
  drover: compileDrover,
  dspy: compileDspy,
  "configurable-agents": compileConfigurable,
  "agent-orchestration-engine": compileEngine,
};

/** Compiles a workflow of any known format to the one model inside, or says everything that is wrong with it. */
export function readWorkflow({ text, json, format: given }: WorkflowSource): WorkflowReading {
  const report = createReport(text === undefined ? undefined : createLines(text));
  const document = text === undefined ? readObject(json ?? null, report) : readText(text, report, "a workflow");
  const format = document && (given ?? recogniseFormat(document, report));
  const definition = document && format && compilers[format](document, report);
  const { faults, warnings } = report;
  if (definition !== undefined && format !== undefined && faults.length === 0) return { definition, format, warnings };
  return { faults: faults.length > 0 ? faults : [unexplained] };
}

const unexplained: Fault = {
  message: "Expected a workflow, got a document that is none.",
  line: 0,
  column: 0,
  path: "",
};
