import type { JsonSchema } from "@drover/domain/workflow/definition";
import { environment } from "./environment.ts";

/** Environments as a JSON Schema, made from the tables by which they are read: completion and checks in editors. */
export function editorSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Drover environment",
    ...environment.schema,
  };
}
