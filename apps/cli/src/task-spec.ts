import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { DroverError } from "@drover/domain/error";
import { Executor, type TaskSpec, TaskSpecSchema } from "@drover/proto/drover/task";
import {
  durationOption,
  flagOption,
  integerOption,
  listOption,
  numberOption,
  pairsOption,
  sizeOption,
  textOption,
} from "./option.ts";
import type { OptionValues } from "./option.ts";
import { readText } from "./text-file.ts";
import type { World } from "./world.ts";

/** The flags that say what a task is. */
export const specOptions = {
  image: textOption({
    doc: "Image of the container; without it the default image of the class.",
    placeholder: "IMAGE",
  }),
  process: flagOption({ doc: "Run as a process of the host, where its operator allows that." }),
  type: textOption({ doc: "Have a worker of this type handle it, instead of a command.", placeholder: "TYPE" }),
  payload: textOption({ doc: "Its input: JSON, or @FILE, or @- for standard input.", placeholder: "JSON" }),
  class: textOption({ doc: "The class whose queue it joins.", placeholder: "NAME" }),
  priority: integerOption({ doc: "Higher runs sooner.", min: -100, max: 100 }),
  delay: durationOption({ doc: "Not before this much time has passed." }),
  timeout: durationOption({ doc: "The longest that one attempt may take." }),
  retries: integerOption({ doc: "How often it is tried again after a failure.", min: 0, max: 999 }),
  label: pairsOption({ doc: "A label to find it by.", short: "l" }),
  env: pairsOption({ doc: "An environment variable of the command.", short: "e" }),
  mount: listOption({
    doc: "A folder of the host in the container, below the paths that its operator allows.",
    placeholder: "HOST:PATH[:ro]",
    expects: "HOST:PATH or HOST:PATH:ro with absolute paths",
    parse: parseMount,
  }),
  workdir: textOption({ doc: "The folder in which the command starts.", placeholder: "PATH" }),
  cpus: numberOption({ doc: "How many processors it may use.", min: 0.001, max: 4096 }),
  memory: sizeOption({ doc: "How much memory it may use." }),
  network: textOption({
    doc: "A Docker network that the operator allows; by default there is none.",
    placeholder: "NAME",
  }),
  id: textOption({ doc: "Your own id for it, unique in its namespace.", placeholder: "ID" }),
  key: textOption({ doc: "Makes a repeated submit safe: the same key returns the first task.", placeholder: "KEY" }),
} as const;

export type SpecValues = OptionValues<typeof specOptions>;

/** Makes one task from the flags and the command after `--`. */
export async function specFromFlags(
  values: SpecValues,
  command: readonly string[],
  world: Pick<World, "stdin">,
): Promise<TaskSpec> {
  refuseMixture(values, command);
  const payload = values.payload === undefined ? undefined : await readPayload(values.payload, world);
  return create(TaskSpecSchema, {
    ...policy(values),
    id: values.id ?? "",
    idempotencyKey: values.key ?? "",
    type: values.type ?? "",
    labels: values.label,
    ...(payload !== undefined && { payload: fromJson(ValueSchema, payload) }),
    ...(values.type === undefined && { execution: execution(values, command) }),
  });
}

/** Class, priority, delay, time-out and retries: what also holds for tasks from a file that do not say otherwise. */
export function policy(values: Pick<SpecValues, "class" | "priority" | "delay" | "timeout" | "retries">) {
  return {
    class: values.class ?? "",
    priority: values.priority ?? 0,
    ...(values.delay !== undefined && { delay: durationFromMs(values.delay) }),
    ...(values.timeout !== undefined && { timeout: durationFromMs(values.timeout) }),
    ...(values.retries !== undefined && { retry: { maxAttempts: values.retries + 1 } }),
  };
}

const submitHelp = "drover task submit --help";

function refuseMixture(values: SpecValues, command: readonly string[]): void {
  const refuse = (message: string, hint = submitHelp) => {
    throw new DroverError("invalid", message, { hint });
  };
  if (values.type === undefined && command.length === 0) {
    refuse(
      'Expected a command after "--", a --type, or a --file, got none of them.',
      "drover task submit --image busybox -- echo hello",
    );
  }
  if (values.type !== undefined && command.length > 0) refuse("Expected a command or a --type, got both.");
  if (values.process && values.image !== undefined) refuse("Expected --image or --process, got both.");
  const forCommands = ["image", "process", "env", "mount", "workdir", "cpus", "memory", "network"] as const;
  const given = forCommands.find((name) => isGiven(values[name]));
  if (values.type !== undefined && given !== undefined)
    refuse(`Expected --${given} with a command, got it with --type.`);
}

/** Whether a flag was given at all. */
export function isGiven(value: unknown): boolean {
  if (value === undefined || value === false) return false;
  return typeof value !== "object" || value === null || Object.keys(value).length > 0;
}

async function readPayload(text: string, world: Pick<World, "stdin">): Promise<JsonValue> {
  const source = text === "@-" ? "standard input" : text.startsWith("@") ? text.slice(1) : "--payload";
  const json = text.startsWith("@") ? await readText(text.slice(1), world, submitHelp) : text;
  try {
    return JSON.parse(json) as JsonValue;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new DroverError("invalid", `Expected JSON from ${source}, got text that is none: ${cause}.`, {
      hint: `drover task submit --type TYPE --payload '{"a": 1}', or --payload @file.json`,
      cause: error,
    });
  }
}

function execution(
  values: SpecValues,
  command: readonly string[],
): NonNullable<MessageInitShape<typeof TaskSpecSchema>["execution"]> {
  const { cpus, memory } = values;
  return {
    executor: values.process ? Executor.PROCESS : Executor.DOCKER,
    image: values.image ?? "",
    command: [...command],
    env: values.env,
    mounts: values.mount,
    workingDir: values.workdir ?? "",
    network: values.network ?? "",
    ...((cpus !== undefined || memory !== undefined) && {
      resources: { cpuMillicores: Math.round((cpus ?? 0) * 1000), memoryBytes: BigInt(memory ?? 0) },
    }),
  };
}

function parseMount(text: string): { hostPath: string; mountPath: string; readOnly: boolean } | undefined {
  const match = /^(\/[^:]*):(\/[^:]*)(?::(ro|rw))?$/.exec(text);
  const [, hostPath, mountPath, mode] = match ?? [];
  return hostPath === undefined || mountPath === undefined
    ? undefined
    : { hostPath, mountPath, readOnly: mode === "ro" };
}
