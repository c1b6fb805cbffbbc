import type { Json } from "@drover/domain/json";

type Fields = { [name: string]: Json };

// A form that contains itself ends here.
const deepest = 20;

/** The least value that is valid under a JSON Schema, its texts taken from `text`. */
export function instanceOf(schema: Json, text: string): Json {
  return build(schema, { text, root: schema, depth: 0 });
}

interface Building {
  text: string;
  root: Json;
  depth: number;
}

function build(schema: Json, building: Building): Json {
  if (!isFields(schema) || building.depth > deepest) return null;
  const next = { ...building, depth: building.depth + 1 };
  if (schema["const"] !== undefined) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][0] ?? null;
  if (typeof schema["$ref"] === "string") return build(follow(building.root, schema["$ref"]), next);
  if (Array.isArray(schema["allOf"])) return build(merge(schema, schema["allOf"]), next);
  const [choice] = [schema["anyOf"], schema["oneOf"]].filter(Array.isArray).flat();
  if (choice !== undefined) return build(choice, next);
  switch (typeOf(schema)) {
    case "object":
      return buildObject(schema, next);
    case "array": {
      const count = numberOf(schema["minItems"], 0);
      return Array.from({ length: Math.min(count, 1000) }, () => build(schema["items"] ?? {}, next));
    }
    case "string":
      return buildText(schema, building.text);
    case "integer":
    case "number":
      return buildNumber(schema);
    case "boolean":
      return true;
    default:
      return null;
  }
}

function buildObject(schema: Fields, building: Building): Json {
  const properties = isFields(schema["properties"]) ? schema["properties"] : {};
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const names = required.filter((name) => typeof name === "string");
  return Object.fromEntries(names.map((name) => [name, build(properties[name] ?? {}, building)]));
}

function buildText(schema: Fields, text: string): string {
  const known = typeof schema["format"] === "string" ? formats[schema["format"]] : undefined;
  if (known !== undefined) return known;
  const cut = [...text].slice(0, numberOf(schema["maxLength"], Number.POSITIVE_INFINITY)).join("");
  return cut.padEnd(numberOf(schema["minLength"], 0), ".");
}

const formats: Record<string, string> = {
  date: "2000-01-01",
  time: "00:00:00Z",
  "date-time": "2000-01-01T00:00:00Z",
  email: "echo@example.org",
  uri: "https://example.org/",
  uuid: "00000000-0000-4000-8000-000000000000",
};

function buildNumber(schema: Fields): number {
  const step = numberOf(schema["multipleOf"], 1);
  const least = Math.max(
    numberOf(schema["minimum"], Number.NEGATIVE_INFINITY),
    numberOf(schema["exclusiveMinimum"], Number.NEGATIVE_INFINITY) + step,
  );
  const most = Math.min(
    numberOf(schema["maximum"], Number.POSITIVE_INFINITY),
    numberOf(schema["exclusiveMaximum"], Number.POSITIVE_INFINITY) - step,
  );
  if (least <= 0 && most >= 0) return 0;
  return least > 0 ? Math.ceil(least / step) * step : Math.floor(most / step) * step;
}

function typeOf(schema: Fields): Json | undefined {
  const { type } = schema;
  if (Array.isArray(type)) return type.find((one) => one !== "null") ?? "null";
  return type ?? (schema["properties"] === undefined ? "string" : "object");
}

function merge(schema: Fields, parts: Json[]): Json {
  const { allOf: _, ...rest } = schema;
  return [rest, ...parts.filter(isFields)].reduce((all, part) => {
    const properties = { ...asFields(all["properties"]), ...asFields(part["properties"]) };
    const required = [all["required"], part["required"]].filter(Array.isArray).flat();
    return { ...all, ...part, properties, required };
  }, {});
}

function follow(root: Json, reference: string): Json {
  const path = reference.replace(/^#\/?/, "").split("/").filter(Boolean);
  return path.reduce<Json>((at, name) => asFields(at)[name.replaceAll("~1", "/").replaceAll("~0", "~")] ?? {}, root);
}

function isFields(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asFields(value: Json | undefined): Fields {
  return isFields(value) ? value : {};
}

function numberOf(value: Json | undefined, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
