import type { Definition } from "@drover/domain/workflow/definition";
import { jsonSchema } from "../shape/json-schema.ts";
import { list, record, recursive } from "@drover/document/shape/record";
import { documented, number, text, word, type Read } from "@drover/document/shape/shape";
import { template } from "../shape/template.ts";
import { duration, money } from "@drover/document/shape/unit";
import type { Report } from "@drover/document/source/report";
import type { Value } from "@drover/document/source/value";
import { compileGraph } from "./steps.ts";
import { steps } from "./step-shape.ts";
import { present } from "./task.ts";

/** What the first line of a workflow of Drover's own says. */
export const formatName = "workflow/v1";

export const nameRule = {
  max: 200,
  pattern: /^[^\s/\p{Cc}](?:[^/\p{Cc}]*[^\s/\p{Cc}])?$/u,
  expected: "a name without slashes and blanks around it",
};

/** The whole document. */
export const workflow = record({
  name: "a workflow",
  required: { drover: word([formatName]), name: text(nameRule), steps: recursive("steps", () => steps) },
  optional: {
    description: text(),
    tags: list(text({ max: 100 })),
    input: documented(jsonSchema(), "What the run's input must be: a JSON Schema, or {name: type}."),
    output: documented(template(), "Absent: the outputs of the steps that nobody needs, by id."),
    timeout: documented(duration(), "The longest a run may take, such as 1h."),
    maxParallel: number({ min: 1, max: 100_000, whole: true }),
    budget: documented(money(), "What a run may spend, in US dollars."),
    onFailure: documented(word(["continue", "stop"]), "Whether independent steps go on when one failed."),
    maxFailedShare: documented(number({ min: 0, max: 1 }), "The run has failed when more of its steps did."),
  },
});

/** Compiles a document of Drover's own format. */
export function compileDrover(document: Value, report: Report): Definition | undefined {
  const raw = workflow.read(document, report);
  // Steps are looked at although something above them is broken: every fault is told at once.
  const found = raw?.steps ?? stepsOf(document);
  const graph =
    found &&
    compileGraph(
      { ...ends(raw), steps: found },
      { report, names: present({ input: raw?.input }), total: { steps: 0 } },
    );
  if (raw === undefined || graph === undefined) return undefined;
  const { onFailure = "continue", maxFailedShare } = raw;
  return {
    name: raw.name,
    ...present<Partial<Definition>>({
      description: raw.description,
      tags: raw.tags,
      input: raw.input,
      failure:
        raw.onFailure === undefined && maxFailedShare === undefined
          ? undefined
          : { onFailure, ...present({ maxFailedShare }) },
      timeoutSeconds: raw.timeout && Math.ceil(raw.timeout),
      budgetNanos: raw.budget,
    }),
    ...graph,
  };
}

function ends(raw: Read<typeof workflow> | undefined) {
  return present({ output: raw?.output, maxParallel: raw?.maxParallel });
}

function stepsOf(document: Value): Value | undefined {
  const found = document.fields?.get("steps")?.value;
  return (found?.fields?.size ?? found?.items?.length ?? 0) > 0 ? found : undefined;
}
