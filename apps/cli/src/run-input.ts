import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { DroverError } from "@drover/domain/error";
import { listOption, type OptionValues, textOption } from "./option.ts";
import { readText } from "./text-file.ts";
import type { World } from "./world.ts";

/** The flags that say what a run is given. */
export const inputOptions = {
  set: listOption({
    doc: "A field of the input; the value is read as JSON, else it is a text.",
    placeholder: "KEY=VALUE",
    short: "i",
    expects: "KEY=VALUE",
    parse: parsePair,
  }),
  input: textOption({
    doc: "The input: a JSON object, a file that holds one, or - for standard input. --set stands above it.",
    placeholder: "JSON|FILE",
    isFile: true,
  }),
} as const;

/** Makes the input of a run from the flags. */
export async function readInput(
  { set, input }: OptionValues<typeof inputOptions>,
  world: Pick<World, "stdin">,
  commandName: string,
): Promise<JsonObject> {
  const hint = `drover ${commandName} --help`;
  const given = input === undefined ? {} : readObject(await textOf(input, world, hint), nameOf(input), hint);
  return { ...given, ...Object.fromEntries(set) };
}

function parsePair(text: string): [string, JsonValue] | undefined {
  const at = text.indexOf("=");
  return at < 1 ? undefined : [text.slice(0, at), readValue(text.slice(at + 1))];
}

/** A value as people type it: JSON where it is JSON, else a text. */
export function readValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

function isInline(text: string): boolean {
  return text.trimStart().startsWith("{");
}

function nameOf(input: string): string {
  return isInline(input) ? "--input" : input === "-" ? "standard input" : input;
}

async function textOf(input: string, world: Pick<World, "stdin">, hint: string): Promise<string> {
  return isInline(input) ? input : await readText(input.replace(/^@/, ""), world, hint);
}

function readObject(text: string, name: string, hint: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DroverError("invalid", `Expected a JSON object from ${name}, got text that is none: ${reason}.`, {
      hint,
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new DroverError("invalid", `Expected a JSON object from ${name}, got another kind of value.`, { hint });
}
