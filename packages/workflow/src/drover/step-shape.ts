import type { Json } from "@drover/domain/json";
import { retryStrategies } from "@drover/domain/retry";
import { jsonSchema } from "../shape/json-schema.ts";
import { byKind, list, named, record, recursive } from "@drover/document/shape/record";
import {
  documented,
  flag,
  mapped,
  number,
  placed,
  text,
  word,
  type Placed,
  type Read,
  type Shape,
} from "@drover/document/shape/shape";
import { expression, template, templateText } from "../shape/template.ts";
import { duration, money, size } from "@drover/document/shape/unit";
import type { Value } from "@drover/document/source/value";

/** Ids are names of the expression language: `steps.<id>.output`. */
export const idPattern = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
const idRule = { pattern: idPattern, expected: "a name of letters, digits, _ and -, such as extract_text" };

export const stepId = () => text(idRule);
const className = () => text({ pattern: /^[a-z][a-z0-9_-]{0,62}$/, expected: "a class, such as cpu_short" });
const oneOrMore = <T>(shape: Shape<T>): Shape<T[]> =>
  byKind({ text: mapped(shape, (item) => [item]), list: list(shape, { min: 1 }) });
const scalarTemplate = (): Shape<Placed<Json>> =>
  byKind<Placed<Json>>({ text: template(), number: mapped(template(), asText), flag: mapped(template(), asText) });

function asText({ at }: Placed<Json>): Placed<Json> {
  return { value: JSON.stringify(at.json), at };
}

const resources = record({
  name: "resources",
  optional: {
    cpu: documented(number({ above: 0, max: 1024 }), "Cores, such as 0.5"),
    memory: documented(size(), "Bytes, such as 512M"),
    pids: number({ min: 1, whole: true }),
    gpus: number({ min: 0, max: 64, whole: true }),
    gpuClass: text(),
    gpuMemoryGb: number({ above: 0 }),
    storageGb: number({ above: 0 }),
  },
});

const mount = record({
  name: "a mount",
  required: {
    hostPath: text({ pattern: /^\//, expected: "an absolute path" }),
    mountPath: text({ pattern: /^\//, expected: "an absolute path" }),
  },
  optional: { readOnly: flag() },
});

const output = record({ name: "an output file", required: { path: text() }, optional: { type: text(), name: text() } });

/** How a task is run: shared by steps and by the tools of models. */
export const taskShapes = {
  run: documented(text(), "A shell script; data reaches it by env, never as ${}."),
  command: documented(list(templateText(), { min: 1, name: "a list of texts" }), "A program and its arguments."),
  worker: documented(text({ max: 200 }), "The type of task that a worker of the SDK handles."),
  executor: word(["docker", "process"]),
  image: documented(
    templateText("the name of an image"),
    "Runs in a container of this image; without one, as a process.",
  ),
  env: named(scalarTemplate(), { key: { pattern: /^[^=\0]+$/, expected: "a name without =" } }),
  workingDir: templateText("a path"),
  mounts: list(mount),
  resources,
  artifacts: record({ name: "artifacts", optional: { inputs: list(text()), outputs: list(output) } }),
  readOnlyRoot: flag(),
  network: documented(text(), "A Docker network that the node allows; absent: none."),
  payload: documented(
    template(),
    "JSON that the task finds in the file $DROVER_PAYLOAD_PATH, or its worker as payload.",
  ),
  take: documented(word(["result", "runnerOutput", "stdout"]), "What of the result is the step's output."),
};

export const tool = record({
  name: "a tool",
  required: {
    name: text({ pattern: /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/, expected: "a name of letters, digits, _ and -" }),
  },
  optional: {
    description: text(),
    parameters: jsonSchema(),
    ...taskShapes,
    class: className(),
    timeout: duration(),
    onError: documented(word(["tell", "fail"]), "Whether the model is told of a failure, or the step fails."),
  },
});

const modelName = () =>
  placed(text({ pattern: /^[^/\s]+\/\S+$/, expected: "a provider and a model, such as openai/gpt-4o-mini" }));

const llm = record({
  name: "an llm step",
  required: {
    model: documented(oneOrMore(modelName()), "provider/model, or several: the next one when one failed for good"),
    prompt: templateText(),
  },
  optional: {
    system: templateText(),
    output: documented(jsonSchema(), "What the answer must be; absent: text."),
    temperature: number({ min: 0, max: 2 }),
    maxOutputTokens: number({ min: 1, whole: true }),
    reask: documented(number({ min: 0, max: 10, whole: true }), "How often a broken answer is asked for again."),
    tools: list(placed(tool)),
    maxTurns: number({ min: 1, max: 100, whole: true }),
    memory: record({
      name: "memory",
      required: { scope: text() },
      optional: { maxEntries: number({ min: 1, max: 1000, whole: true }) },
    }),
    log: documented(flag(), "Whether prompt and answer are written to the task's log."),
    redact: documented(list(placed(text({ max: 500 }))), "Regular expressions of what is blanked in the log."),
  },
});

const retry = record({
  name: "retry",
  optional: {
    attempts: documented(number({ min: 1, max: 100, whole: true }), "In all, the first included."),
    strategy: word(retryStrategies),
    base: duration({ min: 0 }),
    cap: duration({ min: 0 }),
    factor: number({ min: 1, max: 100 }),
    jitter: flag(),
    on: documented(list(text()), "Only these error classes."),
    notOn: documented(list(text()), "Not these error classes."),
  },
});

const each = record({
  name: "each",
  required: { items: template() },
  optional: {
    as: placed(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]{0,62}$/, expected: "a name for the item" })),
    concurrency: number({ min: 1, max: 100_000, whole: true }),
  },
});
const itemsOnly = mapped(template(), (items): Read<typeof each> => ({ items }));

const route = record({
  name: "a route",
  required: { to: byKind({ text: list1(), list: list(placed(stepId())) }) },
  optional: { when: expression(), default: flag() },
});

function list1() {
  return mapped(placed(stepId()), (id) => [id]);
}

const approval = record({
  name: "an approval",
  required: { approvers: list(text(), { min: 1, name: "a list of approvers" }) },
  optional: { message: templateText(), atTimeout: word(["fail", "approve"]) },
});

/** Everything that a step may say; which of it fits together is checked after. */
export const step = record({
  name: "a step",
  optional: {
    id: placed(stepId()),
    name: text({ max: 200 }),
    needs: documented(
      oneOrMore(placed(stepId())),
      "Steps that must have ended; a reference to steps.x needs x by itself.",
    ),
    when: documented(expression(), "Skipped, with what hangs on it alone, where this is false."),
    ...taskShapes,
    llm,
    workflow: documented(text({ max: 200 }), "The name of another workflow."),
    version: number({ min: 1, whole: true }),
    input: documented(template(), "The input of the workflow or the inline steps."),
    steps: recursive("steps", () => steps),
    output: documented(template(), "The output of inline steps."),
    maxParallel: number({ min: 1, max: 100_000, whole: true }),
    wait: documented(
      byKind<Placed<number | string>>({ number: placed(duration({ min: 0 })), text: placed(waitText()) }),
      "A duration, or ${} with seconds.",
    ),
    waitUntil: documented(templateText("a date and time"), "A date and time (RFC 3339)."),
    event: documented(templateText("the name of an event"), "Waits for an event of this name."),
    approval,
    value: documented(template(), "No task: its output is this value."),
    each: documented(
      byKind<Read<typeof each>>({ object: each, text: itemsOnly, list: itemsOnly }),
      "Once for every item of a list.",
    ),
    repeat: record({
      name: "repeat",
      required: { until: expression() },
      optional: { max: number({ min: 1, max: 1000, whole: true }), atBound: word(["complete", "fail"]) },
    }),
    retry: byKind<Read<typeof retry>>({
      object: retry,
      number: mapped(number({ min: 1, max: 100, whole: true }), (attempts) => ({ attempts })),
    }),
    timeout: duration(),
    priority: number({ min: -100, max: 100, whole: true }),
    class: className(),
    budget: documented(money(), "US dollars."),
    critical: documented(flag(), "Its failure ends the run."),
    mayFail: documented(flag(), "Those who need it run although it failed."),
    routes: documented(
      list(placed(route), { min: 1 }),
      "The ways on: the first whose condition is true, else the default.",
    ),
  },
});

export type RawStep = Read<typeof step>;
export type RawTool = Read<typeof tool>;
export type RawTask = Pick<RawStep, keyof typeof taskShapes>;

/** Steps by id, or a list of steps with ids; still to be read one by one, so that one broken step breaks no other. */
export const steps: Shape<Value> = {
  schema: {
    anyOf: [
      {
        type: "object",
        minProperties: 1,
        additionalProperties: { $ref: "#/$defs/step" },
        propertyNames: { pattern: idPattern.source },
      },
      { type: "array", minItems: 1, items: { $ref: "#/$defs/step" } },
    ],
  },
  read(value, report) {
    if ((value.fields?.size ?? value.items?.length ?? 0) > 0) return value;
    report.add(value, "Expected steps: an object of steps by id, or a list of steps with an id each, at least one.");
    return undefined;
  },
};

/** A duration, or a template that gives seconds. */
function waitText(): Shape<number | string> {
  const plain = duration({ min: 0 });
  return {
    schema: { type: "string" },
    read: (value, report) =>
      typeof value.json === "string" && value.json.includes("${")
        ? template().read(value, report) && value.json
        : plain.read(value, report),
  };
}
