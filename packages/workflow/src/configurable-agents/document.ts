import { taskShapes } from "../drover/step-shape.ts";
import { jsonSchema } from "../shape/json-schema.ts";
import { byKind, list, named, record } from "@drover/document/shape/record";
import {
  anything,
  flag,
  mapped,
  number,
  placed,
  text,
  word,
  type Placed,
  type Read,
} from "@drover/document/shape/shape";
import { expression } from "../shape/template.ts";
import { size } from "@drover/document/shape/unit";
import { isObject, type Value } from "@drover/document/source/value";

const identifier = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const none = { hasNulls: true } as const;
const nodeName = () => text({ pattern: identifier, max: 100, expected: "a Python identifier, such as write_summary" });

const stateField = record({
  name: "a state field",
  ...none,
  required: { type: placed(text()) },
  optional: {
    required: flag(),
    default: placed(anything()),
    description: text({ blank: true }),
    schema: placed(anything()),
  },
});
export type RawField = Read<typeof stateField>;

const outputField = record({
  name: "an output field",
  ...none,
  required: { name: placed(text()), type: placed(text()) },
  optional: { description: text({ blank: true }), schema: placed(anything()) },
});

const outputSchema = record({
  name: "output_schema",
  ...none,
  required: { type: placed(text()) },
  optional: { fields: list(outputField), description: text({ blank: true }), schema: placed(anything()) },
});

const llm = record({
  name: "llm",
  ...none,
  refused: { api_base: "calls are made by a node's agent, which has the address and the key of its providers." },
  optional: {
    provider: word(["openai", "anthropic", "google", "ollama"]),
    model: text(),
    temperature: number({ min: 0, max: 1 }),
    max_tokens: number({ min: 1, whole: true }),
  },
});
export type RawLlm = Read<typeof llm>;

const memory = record({
  name: "memory",
  ...none,
  optional: {
    enabled: flag(),
    default_scope: word(["agent", "workflow", "node"]),
    max_entries: number({ min: 1, max: 1000, whole: true }),
  },
});
export type RawMemory = Read<typeof memory>;

const sandbox = record({
  name: "sandbox",
  ...none,
  optional: {
    mode: word(["python", "docker"]),
    enabled: placed(flag()),
    network: flag(),
    preset: word(["low", "medium", "high", "max"]),
    resources: record({
      name: "resources",
      ...none,
      optional: { cpu: number({ above: 0, max: 64 }), memory: size(), timeout: number({ min: 1, max: 3600 }) },
    }),
    timeout: number({ min: 1, max: 3600 }),
    image: text(),
  },
});
export type RawSandbox = Read<typeof sandbox>;

const toolConfig = record({
  name: "config",
  ...none,
  optional: { description: text(), parameters: jsonSchema(), ...taskShapes },
});
const tool = record({
  name: "a tool",
  ...none,
  required: { name: text() },
  optional: { on_error: word(["fail", "continue"]), config: placed(toolConfig) },
});
export type RawTool = Read<typeof tool>;

const node = record({
  name: "a node",
  ...none,
  required: {
    id: placed(nodeName()),
    prompt: placed(text()),
    outputs: list(placed(text()), { min: 1 }),
    output_schema: placed(outputSchema),
  },
  optional: {
    name: text(),
    description: text({ blank: true }),
    inputs: named(placed(text())),
    tools: list(
      byKind<Placed<RawTool>>({
        text: mapped(placed(text()), ({ value, at }) => ({ value: { name: value }, at })),
        object: placed(tool),
      }),
    ),
    llm,
    memory,
    sandbox: placed(sandbox),
    code: placed(text()),
    log_prompts: flag(),
    log_artifacts: placed(flag()),
    optimize: placed(switchedOff("optimization of prompts")),
  },
});
export type RawNode = Read<typeof node>;

const ids = () =>
  byKind<Placed<string>[]>({ text: mapped(placed(text()), (id) => [id]), list: list(placed(text()), { min: 1 }) });
const condition = () =>
  byKind<Placed<string>>({
    text: expression(),
    object: mapped(record({ name: "a condition", required: { logic: expression() } }), ({ logic }) => logic),
  });

const edge = record({
  name: "an edge",
  ...none,
  required: { from: placed(text()) },
  optional: {
    to: placed(ids()),
    condition: placed(condition()),
    routes: placed(
      list(placed(record({ name: "a route", required: { condition: condition(), to: placed(text()) } })), { min: 1 }),
    ),
    loop: placed(
      record({
        name: "a loop",
        ...none,
        required: { condition_field: placed(text()) },
        optional: { max_iterations: number({ min: 1, max: 100, whole: true }), exit_to: placed(text()) },
      }),
    ),
  },
});
export type RawEdge = Read<typeof edge>;

/** A block that may stand there as long as it is switched off. */
function switchedOff(what: string) {
  return {
    schema: { type: "object" },
    read(value: Value, report: Parameters<ReturnType<typeof flag>["read"]>[1]) {
      if (isObject(value.json) && value.json["enabled"] !== true) return true;
      report.add(value, `${what.charAt(0).toUpperCase()}${what.slice(1)} is not built.`, {
        hint: "Take it out, or set enabled: false.",
      });
      return undefined;
    },
  };
}

const config = record({
  name: "config",
  ...none,
  refused: {
    storage: "Drover keeps runs in its own Postgres.",
    sandbox: "say it on the nodes that have code.",
    gates: "look at the costs of a run with drover run cost.",
  },
  optional: {
    llm,
    memory,
    execution: record({
      name: "execution",
      ...none,
      optional: { timeout: number({ min: 1, whole: true }), max_retries: number({ min: 0, max: 99, whole: true }) },
    }),
    observability: record({
      name: "observability",
      ...none,
      refused: { metrics: "metrics are those of docs/metrics.md." },
      optional: {
        mlflow: switchedOff("MLflow (costs and tokens stand in drover run cost)"),
        logging: record({
          name: "logging",
          ...none,
          optional: { level: word(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]) },
        }),
      },
    }),
  },
});

export const document = record({
  name: "a workflow",
  ...none,
  refused: {
    webhook: "start runs over the API or from a schedule.",
    gates: "look at the costs of a run with drover run cost.",
  },
  required: {
    schema_version: placed(anything()),
    flow: record({
      name: "flow",
      ...none,
      required: { name: text() },
      optional: { description: text({ blank: true }), version: placed(anything()) },
    }),
    state: record({
      name: "state",
      required: {
        fields: named(placed(stateField), { key: { pattern: identifier, expected: "a Python identifier" } }),
      },
    }),
    nodes: list(placed(node), { min: 1 }),
    edges: list(placed(edge), { min: 1 }),
  },
  optional: { config, memory, optimization: switchedOff("optimization of prompts") },
});
