import type { Execution, Resources } from "@drover/domain/execution";
import type { Json } from "@drover/domain/json";
import { parseExpression } from "@drover/domain/workflow/expression/expression";
import type { JsonSchema, TaskWork } from "@drover/domain/workflow/definition";
import type { Use } from "../check/draft.ts";
import type { Placed } from "@drover/document/shape/shape";
import { literal, literalText } from "../shape/template.ts";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { fieldOf, type Value } from "@drover/document/source/value";
import type { RawTask } from "./step-shape.ts";

/** Where what is compiled leaves its templates, and what is wrong with them. */
export interface Compile {
  report: Report;
  uses: Use[];
  /** Names that templates here may use besides those of the run. */
  names: readonly string[];
  /** Of a tool: its parameters, which its templates find as their input. */
  input?: JsonSchema;
}

const containerOnly = ["mounts", "readOnlyRoot", "network"] as const;

/** Compiles what runs a task: a shell script, a command, or a worker. */
export function compileTask(raw: RawTask, at: Value, compile: Compile): TaskWork {
  const payload = use(raw.payload, compile);
  if (raw.worker !== undefined) {
    return { kind: "task", type: literalText(raw.worker), ...present({ payload, take: raw.take }) };
  }
  const executor = raw.executor ?? (raw.image === undefined ? "process" : "docker");
  if (executor === "process") refuseContainerKeys(at, compile.report);
  const execution: NonNullable<TaskWork["execution"]> = {
    executor,
    command: commandOf(raw, at, compile),
    ...present<Partial<Execution>>({
      image: text(raw.image, compile),
      env: raw.env && Object.fromEntries([...raw.env].map(([name, value]) => [name, text(value, compile) ?? ""])),
      mounts: raw.mounts?.map((mount) => literal(present({ ...mount }) as Json) as unknown as typeof mount),
      resources: raw.resources && resourcesOf(raw.resources),
      workingDir: text(raw.workingDir, compile),
      artifacts: raw.artifacts && (literal(raw.artifacts) as NonNullable<Execution["artifacts"]>),
      readOnlyRoot: raw.readOnlyRoot,
      network: raw.network,
    }),
  };
  return { kind: "task", execution, ...present({ payload, take: raw.take }) };
}

/** Notes a template, whose references are checked later, and hands on its value. */
export function use(template: Placed<Json> | undefined, { uses, names, input }: Compile): Json | undefined {
  if (template === undefined) return undefined;
  uses.push({
    at: template.at,
    template: template.value,
    isVerbatim: template.value === template.at.json,
    names,
    ...(input && { input }),
  });
  return template.value;
}

/** An object without what is undefined. */
export function present<T extends object>(fields: { [K in keyof T]?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function text(template: Placed<Json> | undefined, compile: Compile): string | undefined {
  const value = use(template, compile);
  return value === undefined || typeof value === "string" ? value : JSON.stringify(value);
}

function commandOf({ run, command }: RawTask, at: Value, compile: Compile): string[] {
  if (command !== undefined) return command.map((part) => text(part, compile) ?? "");
  const script = fieldOf(at, "run");
  if (script !== undefined && run !== undefined) refuseDataInScript(script, run, compile);
  return ["sh", "-c", literalText(run ?? "")];
}

/** Data inside a script would be run as one, and `${}` belongs to the shell there. */
function refuseDataInScript(at: Value, script: string, { report, names }: Compile): void {
  const roots = ["input", "steps", "state", ...names];
  for (const { 0: whole, 1: inner = "", index } of script.matchAll(/\$\{([^{}]*)\}/g)) {
    const parsed = parseExpression(inner);
    if ("message" in parsed) continue;
    const found = parsed.references.find(({ root, path }) => roots.includes(root) && path.length > 0);
    if (found === undefined) continue;
    const message = `Expected a script without data in it, got ${quote(whole)}: the shell would run what stands there.`;
    const hint = `Hand it in: env: {VALUE: "${whole}"}, and write "$VALUE"; or use command, a list.`;
    report.addInside(at, { offset: index, length: whole.length }, message, { hint });
  }
}

function refuseContainerKeys(at: Value, report: Report): void {
  for (const key of containerOnly) {
    const field = at.fields?.get(key);
    if (field !== undefined)
      report.add(field.key, `Expected ${quote(key)} only with an image: a process has no container.`, {
        hint: "Add an image.",
      });
  }
}

function resourcesOf({ cpu, memory, gpus, ...rest }: NonNullable<RawTask["resources"]>): Resources {
  return present<Resources>({
    cpuMillicores: cpu === undefined ? undefined : Math.max(1, Math.round(cpu * 1000)),
    memoryBytes: memory,
    gpuCount: gpus,
    ...rest,
  });
}
