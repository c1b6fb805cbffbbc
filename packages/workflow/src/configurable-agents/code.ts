import type { Json } from "@drover/domain/json";
import type { Step, TaskWork } from "@drover/domain/workflow/definition";
import { literal } from "../shape/template.ts";
import type { Report } from "@drover/document/source/report";
import type { Placed } from "@drover/document/shape/shape";
import type { RawSandbox } from "./document.ts";

const defaultImage = "python:3.12-slim";
const mebibyte = 1_048_576;

const presets = {
  low: { cpu: 0.5, memory: 256 * mebibyte, timeout: 30 },
  medium: { cpu: 1, memory: 512 * mebibyte, timeout: 60 },
  high: { cpu: 2, memory: 1024 * mebibyte, timeout: 120 },
  max: { cpu: 4, memory: 2048 * mebibyte, timeout: 300 },
} as const;

/** Runs the code with `inputs`, takes `result`, and hands it over by the state fields that it is for. */
const runner = `
import json, os, sys
with open(os.environ["DROVER_PAYLOAD_PATH"], encoding="utf-8") as file:
    payload = json.load(file)
scope = {"inputs": payload["inputs"], "__name__": "__code__"}
exec(compile(payload["code"], "<code>", "exec"), scope)
if "result" not in scope:
    sys.exit("expected the code to assign a value to result")
result, types = scope["result"], payload["outputs"]
if payload["isSingle"]:
    result = dict.fromkeys(types, result)
known = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict, "object": dict}
for name, kind in types.items():
    if not isinstance(result, dict) or name not in result:
        sys.exit("expected result to be a dict with the key " + name)
    value, kind = result[name], kind.split("[")[0].strip()
    if not isinstance(value, known[kind]) or (isinstance(value, bool) and kind != "bool"):
        sys.exit("expected " + name + " to be of type " + kind + ", got " + type(value).__name__)
sys.stdout.flush()
print("\\n__DSPY_RESULT__:" + json.dumps({name: result[name] for name in types}))
`.trimStart();

export interface CodeFacts {
  code: string;
  /** Templates of what the code finds in \`inputs\`. */
  inputs: Json;
  /** Types by state field. */
  outputs: Record<string, string>;
  isSingle: boolean;
  sandbox: Placed<RawSandbox> | undefined;
}

/** Code as a task in a container: without network and writable files, within the limits of its preset. */
export function compileCode(facts: CodeFacts, report: Report): Pick<Step, "work" | "timeoutSeconds"> {
  const {
    preset = "medium",
    resources = {},
    timeout,
    network,
    image = defaultImage,
    enabled,
  } = facts.sandbox?.value ?? {};
  if (enabled?.value === false) {
    report.add(enabled.at, "Code outside of a sandbox is not built: it would run as the agent itself.", {
      hint: "Take enabled: false out.",
    });
  }
  const { cpu, memory, timeout: seconds } = { ...presets[preset], ...resources };
  const work: TaskWork = {
    kind: "task",
    execution: {
      executor: "docker",
      image,
      command: ["python", "-c", runner],
      readOnlyRoot: true,
      resources: { cpuMillicores: Math.max(1, Math.round(cpu * 1000)), memoryBytes: memory },
      ...(network === true && { network: "bridge" }),
    },
    payload: { code: literal(facts.code), inputs: facts.inputs, outputs: facts.outputs, isSingle: facts.isSingle },
    take: "runnerOutput",
  };
  return { work, timeoutSeconds: Math.ceil(timeout ?? seconds) };
}
