import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { type TaskSpec, TaskSpecSchema } from "@drover/proto/drover/task";
import { parseDuration } from "./duration.ts";
import { unreadable } from "./text-file.ts";
import type { World } from "./world.ts";

/** A line of a file of tasks, read. */
export type TaskLine = { line: number; bytes: number } & ({ spec: TaskSpec } | { fault: string });

/** How large a file is, for the progress bar; undefined for standard input and for pipes. */
export async function fileBytes(path: string): Promise<number | undefined> {
  if (path === "-") return undefined;
  try {
    const facts = await stat(path);
    return facts.isFile() ? facts.size : undefined;
  } catch (error) {
    throw unreadable(path, error, "drover task submit --help");
  }
}

/** Reads tasks, one JSON object a line; empty lines are skipped, and a line that is wrong is told and passed over. */
export async function* readTaskFile(
  path: string,
  defaults: MessageInitShape<typeof TaskSpecSchema>,
  { stdin }: Pick<World, "stdin">,
): AsyncGenerator<TaskLine> {
  const input = path === "-" ? Readable.from(stdin) : createReadStream(path);
  let line = 0;
  let bytes = 0;
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      bytes += Buffer.byteLength(text) + 1;
      if (text.trim() !== "") yield { line, bytes, ...readTaskLine(text, defaults) };
    }
  } catch (error) {
    throw unreadable(path, error, "drover task submit --help");
  } finally {
    input.destroy();
  }
}

/** Reads one task: the JSON of the contract, with durations and executors also as people write them. */
export function readTaskLine(
  text: string,
  defaults: MessageInitShape<typeof TaskSpecSchema> = {},
): { spec: TaskSpec } | { fault: string } {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    return { fault: `Expected a JSON object, got text that is none: ${messageOf(error)}.` };
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    return { fault: "Expected a JSON object, got another value." };
  try {
    const spec = fromJson(TaskSpecSchema, plain(json));
    return { spec: withDefaults(spec, defaults) };
  } catch (error) {
    return { fault: `Expected a task: ${messageOf(error).replace(/^cannot decode \S+ (\S+) from JSON: /, "")}.` };
  }
}

function withDefaults(spec: TaskSpec, given: MessageInitShape<typeof TaskSpecSchema>): TaskSpec {
  const defaults = create(TaskSpecSchema, given);
  spec.class ||= defaults.class;
  spec.priority ||= defaults.priority;
  if (defaults.delay !== undefined) spec.delay ??= defaults.delay;
  if (defaults.timeout !== undefined) spec.timeout ??= defaults.timeout;
  if (defaults.retry !== undefined) spec.retry ??= defaults.retry;
  spec.labels = { ...defaults.labels, ...spec.labels };
  return spec;
}

type JsonRecord = Record<string, JsonValue>;

function plain(json: JsonRecord): JsonRecord {
  const own = durations(json, ["delay", "timeout"]);
  const { retry, execution } = own;
  return {
    ...own,
    ...(isRecord(retry) && { retry: durations(retry, ["baseDelay", "base_delay", "maxDelay", "max_delay"]) }),
    ...(isRecord(execution) && { execution: withExecutor(execution) }),
  };
}

/** "5m" as the contract writes it: "300s". */
function durations(json: JsonRecord, names: readonly string[]): JsonRecord {
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const ms =
        names.includes(name) && (typeof value === "string" || typeof value === "number")
          ? parseDuration(String(value))
          : undefined;
      return [name, ms === undefined ? value : `${ms / 1000}s`];
    }),
  );
}

function withExecutor(execution: JsonRecord): JsonRecord {
  const { executor } = execution;
  return typeof executor === "string" && /^[a-z]+$/.test(executor)
    ? { ...execution, executor: `EXECUTOR_${executor.toUpperCase()}` }
    : execution;
}

function isRecord(value: JsonValue | undefined): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
