import { create, toJson } from "@bufbuild/protobuf";
import type { DescField, DescMessage, DescService, Message } from "@bufbuild/protobuf";
import { isReflectList, isReflectMap, isReflectMessage, pathToString, reflect } from "@bufbuild/protobuf/reflect";
import type { Path } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import { requestText, unknownFields } from "./unknown-field.ts";

export interface FieldFault {
  /** Path as the contract spells it: task.retry.max_attempts */
  field: string;
  /** What was expected and what came. */
  message: string;
}

export interface Validation {
  /** Refuses requests that break a rule of the contract. */
  interceptor: Interceptor;
  /** The faults of one message, for batches that give each item its own verdict. */
  faults: (schema: DescMessage, message: Message) => FieldFault[];
}

/** Checks messages against the rules in the contract. Compiles the rules of all requests of `services` at once. */
export function createValidation(services: readonly DescService[]): Validation {
  const validator = createValidator();
  const faults = (schema: DescMessage, message: Message): FieldFault[] => {
    const result = validator.validate(schema, message);
    if (result.kind === "valid") return [];
    if (result.kind === "error") {
      throw new DroverError("internal", `Expected usable rules on ${schema.typeName}, got: ${result.error.message}`);
    }
    return result.violations.map((violation) => toFault(violation, schema, message));
  };
  const check: Check = (schema, message, text) => {
    const found = faults(schema, message);
    if (found.length > 0) throw invalid([...unknownFields(schema, text?.()), ...found]);
  };
  // The first check of a schema compiles its rules, some milliseconds that no caller should wait for.
  for (const method of services.flatMap((service) => service.methods)) faults(method.input, create(method.input));
  return { interceptor: createInterceptor(check), faults };
}

/** `text`: the request as it came, where that is JSON. */
type Check = (schema: DescMessage, message: Message, text?: () => string | undefined) => void;

function createInterceptor(check: Check): Interceptor {
  return (next) => (req) => {
    if (!req.stream) {
      check(req.method.input, req.message, req.contextValues.get(requestText));
      return next(req);
    }
    return next({ ...req, message: checkEach(req.message, (message) => check(req.method.input, message)) });
  };
}

async function* checkEach<T>(messages: AsyncIterable<T>, check: (message: T) => void): AsyncIterable<T> {
  for await (const message of messages) {
    check(message);
    yield message;
  }
}

function invalid(fields: FieldFault[]): DroverError {
  const listed = fields.slice(0, 20).map(({ field, message }) => `${field} ${message}`);
  if (fields.length > listed.length) listed.push(`and ${fields.length - listed.length} more`);
  return new DroverError("invalid", `The request is not valid: ${listed.join("; ")}.`, { fields });
}

function toFault(violation: Violation, schema: DescMessage, message: Message): FieldFault {
  const field = pathToString(violation.field) || schema.typeName;
  return { field, message: `${expectation(violation)}, got ${describe(valueAt(violation, schema, message))}` };
}

function expectation({ field, message, ruleId }: Violation): string {
  const enumeration = field.findLast((element) => element.kind === "field")?.enum;
  if (enumeration !== undefined && (ruleId === "enum.not_in" || ruleId === "enum.defined_only")) {
    // The rule's own text lists numbers, of no use to who writes names.
    const refused = new Set(
      message
        .match(/\[(.*)\]/)?.[1]
        ?.split(", ")
        .map(Number),
    );
    const allowed = enumeration.values.filter(({ number }) => !refused.has(number));
    return `must be one of ${allowed.map(({ name }) => name).join(", ")}`;
  }
  return ruleId === "required" ? "must be set" : withTimes(message, field);
}

/** Says of large limits in seconds what people call them: `2592000 (30 days)`. */
function withTimes(message: string, field: Violation["field"]): string {
  const last = field.findLast((element) => element.kind === "field");
  if (last === undefined || !last.name.endsWith("_seconds")) return message;
  return message.replace(/\d{4,}/g, (digits) => {
    const found = units.find(([, seconds]) => Number(digits) % seconds === 0);
    if (found === undefined) return digits;
    const count = Number(digits) / found[1];
    return `${digits} (${count} ${found[0]}${count === 1 ? "" : "s"})`;
  });
}

const units = [
  ["day", 86_400],
  ["hour", 3600],
] as const;

function valueAt(violation: Violation, schema: DescMessage, message: Message): unknown {
  if (violation.forKey) {
    const last = violation.field.at(-1);
    return last?.kind === "map_sub" ? last.key : undefined;
  }
  return walk(violation.field, reflect(schema, message));
}

function walk(path: Path, start: unknown): unknown {
  let value = start;
  let field: DescField | undefined;
  for (const element of path) {
    if (element.kind === "field" && isReflectMessage(value)) {
      field = element;
      // An unset message reads as an empty one.
      value = element.fieldKind === "message" && !value.isSet(element) ? undefined : value.get(element);
    } else if (element.kind === "list_sub" && isReflectList(value)) value = value.get(element.index);
    else if (element.kind === "map_sub" && isReflectMap(value)) value = value.get(element.key);
    else return undefined;
  }
  const named = typeof value === "number" ? field?.enum?.value[value]?.name : undefined;
  return named ?? value;
}

const shownCharacters = 60;

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") {
    if (value.length <= shownCharacters) return JSON.stringify(value);
    return `${JSON.stringify(value.slice(0, shownCharacters))}... (${[...value].length} characters)`;
  }
  if (isReflectList(value)) return `${value.size} item(s)`;
  if (isReflectMap(value)) return `${value.size} entries`;
  if (isReflectMessage(value)) return describeMessage(value.desc, value.message);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
    ? String(value)
    : "another kind of value";
}

function describeMessage(schema: DescMessage, message: Message): string {
  try {
    return JSON.stringify(toJson(schema, message)).slice(0, shownCharacters);
  } catch {
    // Out of the range that JSON has a text for, a duration of a million years say.
    return `a ${schema.typeName} without a JSON form`;
  }
}
