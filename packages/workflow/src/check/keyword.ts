/** What stands behind a keyword of JSON Schema. */
export type KeywordKind =
  | "any"
  | "schema"
  | "schemas"
  | "schemaMap"
  | "patternMap"
  | "type"
  | "pattern"
  | "ref"
  | "text"
  | "texts"
  | "textsMap"
  | "count"
  | "positive"
  | "number"
  | "flag"
  | "values";

export const typeNames: readonly string[] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/** The keywords of draft 2020-12 that are checked, and those that only tell. */
export const keywords: Readonly<Record<string, KeywordKind>> = {
  $schema: "text",
  $comment: "text",
  $ref: "ref",
  $defs: "schemaMap",
  definitions: "schemaMap",
  title: "text",
  description: "text",
  default: "any",
  deprecated: "flag",
  readOnly: "flag",
  writeOnly: "flag",
  example: "any",
  examples: "any",
  format: "text",
  contentEncoding: "text",
  contentMediaType: "text",
  type: "type",
  enum: "values",
  const: "any",
  multipleOf: "positive",
  maximum: "number",
  exclusiveMaximum: "number",
  minimum: "number",
  exclusiveMinimum: "number",
  maxLength: "count",
  minLength: "count",
  pattern: "pattern",
  maxItems: "count",
  minItems: "count",
  uniqueItems: "flag",
  maxContains: "count",
  minContains: "count",
  maxProperties: "count",
  minProperties: "count",
  required: "texts",
  dependentRequired: "textsMap",
  properties: "schemaMap",
  patternProperties: "patternMap",
  additionalProperties: "schema",
  propertyNames: "schema",
  unevaluatedProperties: "schema",
  items: "schema",
  prefixItems: "schemas",
  contains: "schema",
  unevaluatedItems: "schema",
  allOf: "schemas",
  anyOf: "schemas",
  oneOf: "schemas",
  not: "schema",
  if: "schema",
  // eslint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema; nobody awaits this table
  then: "schema",
  else: "schema",
  dependentSchemas: "schemaMap",
};
