import type { Execution, Mount, Output, Resources } from "./execution.ts";
import type { Json } from "./json.ts";
import { decodePayloadValue } from "./payload.ts";

export interface PayloadFault {
  /** Path from the payload on: `payload.execution.command`. */
  field: string;
  message: string;
}

export type ParsedExecution =
  | { ok: true; execution: Execution; timeoutSeconds: number }
  | { ok: false; faults: PayloadFault[] };

export const executionRequired = "payload.execution section is required";
const defaultTimeoutSeconds = 1800;
const maxTimeoutSeconds = 30 * 24 * 3600;
const root = "payload.execution";

type JsonObject = { [key: string]: Json };

/** A value, where it stood, and where to note what is wrong with it. */
interface Found {
  value: Json | undefined;
  field: string;
  faults: PayloadFault[];
}

/**
 * Reads how to run a task from an orchestrator.v1 payload. Every fault is reported at once. Values may still be texts
 * (`"60"`, `"['echo', 'hi']"`), null counts as absent, and unknown keys are left alone.
 */
export function parseExecution(payload: Readonly<Record<string, Json>>): ParsedExecution {
  const faults: PayloadFault[] = [];
  const found = (value: Json | undefined, field: string): Found => ({ value, field, faults });
  const section = readObject(found(payload["execution"], root));
  if (section === undefined) {
    return { ok: false, faults: faults.length > 0 ? faults : [{ field: root, message: executionRequired }] };
  }
  const part = (key: string): Found => found(section[key], `${root}.${key}`);
  const isOutside = isPresent(payload["artifacts"]);
  const execution = present<Execution>({
    image: readText(part("image")),
    command: readCommand(part("command")),
    env: readEnv(part("env")),
    mounts: readList(part("mounts"), readMount),
    resources: readResources(part("resources")),
    workingDir: readText(part("container_workdir")) ?? readText(part("working_dir")),
    artifacts: readArtifacts(isOutside ? found(payload["artifacts"], "payload.artifacts") : part("artifacts")),
    tenant: readText(found(payload["tenant"], "payload.tenant")) ?? "default",
  });
  const timeoutSeconds = readTimeout(part("timeout_seconds"));
  return faults.length > 0 ? { ok: false, faults } : { ok: true, execution, timeoutSeconds };
}

/** Faults as the one error text that orchestrator.v1 has room for. */
export function describeFaults(faults: readonly PayloadFault[]): string {
  return faults
    .map(({ field, message }) => (message === executionRequired ? message : `${field}: ${message}`))
    .join("; ");
}

function readCommand(found: Found): string[] {
  const command = readList(found, readRequiredText);
  if (!command?.[0]) {
    refuse(found, 'a list that starts with the program, such as ["sh", "-c", "echo hi"]');
  }
  return command ?? [];
}

function readEnv(found: Found): Record<string, string> | undefined {
  const env = readObject(found);
  return env && Object.fromEntries(Object.keys(env).map((name) => [name, readRequiredText(inside(found, env, name))]));
}

function readMount(found: Found): Mount {
  const mount = requireObject(found);
  return present<Mount>({
    hostPath: readAbsolutePath(inside(found, mount, "host_path")),
    mountPath: readAbsolutePath(inside(found, mount, "mount_path")),
    readOnly: readFlag(inside(found, mount, "read_only")),
  });
}

function readResources(found: Found): Resources | undefined {
  const resources = readObject(found);
  const size = (key: string) => resources && readWhole(inside(found, resources, key));
  return (
    resources &&
    present<Resources>({
      cpuMillicores: size("cpu_millicores"),
      memoryBytes: size("mem_bytes"),
      pids: size("pids"),
      gpuCount: size("gpu_count"),
      gpuClass: readText(inside(found, resources, "gpu_class")),
      gpuMemoryGb: size("gpu_memory_gb"),
      storageGb: size("storage_gb"),
    })
  );
}

function readArtifacts(found: Found): Execution["artifacts"] | undefined {
  const artifacts = readObject(found);
  return (
    artifacts &&
    present<NonNullable<Execution["artifacts"]>>({
      inputs: readList(inside(found, artifacts, "inputs"), readRequiredText),
      outputs: readList(inside(found, artifacts, "outputs"), readOutput),
    })
  );
}

/** A path alone stands for an output without type and name. */
function readOutput(found: Found): Output {
  if (typeof found.value === "string" && !/^\s*\{/.test(found.value)) {
    return { path: readRequiredText(found) };
  }
  const output = requireObject(found);
  return present<Output>({
    path: readRequiredText(inside(found, output, "path")),
    type: readText(inside(found, output, "type")),
    name: readText(inside(found, output, "name")),
  });
}

function readTimeout(found: Found): number {
  const seconds = decoded(found) ?? defaultTimeoutSeconds;
  if (typeof seconds === "number" && seconds > 0 && seconds <= maxTimeoutSeconds) {
    return Math.ceil(seconds);
  }
  refuse(found, `seconds above 0 and up to ${maxTimeoutSeconds}`);
  return defaultTimeoutSeconds;
}

/** Zero means "none asked for", as unset numbers of other languages come. */
function readWhole(found: Found): number | undefined {
  const size = decoded(found);
  if (size === undefined || size === 0) return undefined;
  return typeof size === "number" && Number.isSafeInteger(size) && size > 0
    ? size
    : refuse(found, "a whole number from 0");
}

function readFlag(found: Found): boolean | undefined {
  const flag = decoded(found);
  return flag === undefined || typeof flag === "boolean" ? flag : refuse(found, "true or false");
}

/** A text; numbers and truth values become theirs, a blank one counts as absent. */
function readText(found: Found): string | undefined {
  const { value } = found;
  if (!isPresent(value)) return undefined;
  if (typeof value === "object") return refuse(found, "a text");
  return String(value).trim() === "" ? undefined : String(value);
}

function readRequiredText(found: Found): string {
  const { value } = found;
  return isPresent(value) && typeof value !== "object" ? String(value) : (refuse(found, "a text") ?? "");
}

function readAbsolutePath(found: Found): string {
  const path = readText(found) ?? "";
  return path.startsWith("/") ? path : (refuse(found, "an absolute path") ?? "");
}

function readList<T>(found: Found, readItem: (item: Found) => T): T[] | undefined {
  const list = decoded(found);
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) return refuse(found, "a list");
  return list.map((value, index) => readItem({ ...found, value, field: `${found.field}[${index}]` }));
}

function readObject(found: Found): JsonObject | undefined {
  const value = decoded(found);
  return value === undefined || isObject(value) ? value : refuse(found, "an object");
}

function requireObject(found: Found): JsonObject {
  return readObject(found) ?? (isPresent(found.value) ? {} : (refuse(found, "an object") ?? {}));
}

/** What stands there, read once more where it is still a text; undefined for null and blank. */
function decoded({ value }: Found): Json | undefined {
  const inner = typeof value === "string" ? decodePayloadValue(value) : value;
  return isPresent(inner) && !(typeof inner === "string" && inner.trim() === "") ? inner : undefined;
}

function inside(found: Found, object: JsonObject, key: string): Found {
  return { ...found, value: object[key], field: `${found.field}.${key}` };
}

/** Notes what is wrong with a field, unless that follows from what is noted already. */
function refuse({ value, field, faults }: Found, expected: string): undefined {
  if (!faults.some((fault) => field === fault.field || field.startsWith(`${fault.field}.`))) {
    const text = JSON.stringify(value) ?? "nothing";
    faults.push({ field, message: `expected ${expected}, got ${text.length > 80 ? `${text.slice(0, 80)}…` : text}` });
  }
}

function isPresent(value: Json | undefined): value is NonNullable<Json> {
  return value !== undefined && value !== null;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object without its undefined fields. */
function present<T extends object>(fields: {
  [Key in keyof T]: object extends Pick<T, Key> ? T[Key] | undefined : T[Key];
}): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
