import type { JsonSchema } from "@drover/domain/workflow/definition";
import { stepKinds } from "./drover/kind.ts";
import { step, steps } from "./drover/step-shape.ts";
import { workflow } from "./drover/workflow.ts";

/** Drover's own format as a JSON Schema, made from the tables by which it is read: completion and checks in editors. */
export function editorSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Drover workflow",
    ...workflow.schema,
    $defs: {
      steps: steps.schema,
      step: { ...step.schema, oneOf: Object.keys(stepKinds).map((kind) => ({ required: [kind] })) },
    },
  };
}
