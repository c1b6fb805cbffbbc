import type { WorkflowFormat } from "@drover/domain/workflow/definition";
import { formatName } from "./drover/workflow.ts";
import type { Report } from "@drover/document/source/report";
import { describe, type Value } from "@drover/document/source/value";

/** Which format a document is in; where it is none, what would make it one is reported. */
export function recogniseFormat(document: Value, report: Report): WorkflowFormat | undefined {
  const { fields } = document;
  if (fields === undefined) {
    report.add(document, `Expected a workflow (an object), got ${describe(document.json)}.`, { hint });
    return undefined;
  }
  const kind = fields.get("drover")?.value;
  if (typeof kind?.json === "string" && kind.json.startsWith("environment/")) {
    report.add(kind, `Expected a workflow, got an environment (${kind.json}).`, { hint: otherHint });
    return undefined;
  }
  if (fields.has("drover")) return "drover";
  if (fields.has("schema_version")) return "configurable-agents";
  if (fields.has("agents")) return "agent-orchestration-engine";
  if (fields.has("nodes") || fields.has("edges")) return fields.has("flow") ? "configurable-agents" : "dspy";
  const [first] = fields.values();
  report.add(first?.key ?? document, "Expected a workflow of a known format, got none of their keys.", { hint });
  return undefined;
}

const otherHint = 'Check it with "drover env validate".';

const hint = `Begin with "drover: ${formatName}"; known are also nodes with edges, schema_version with flow, and agents.`;
