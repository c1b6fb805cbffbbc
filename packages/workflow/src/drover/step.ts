import type { RetryPolicy } from "@drover/domain/retry";
import type { Json } from "@drover/domain/json";
import { parseMoment } from "@drover/domain/moment";
import type { Exit, JsonSchema, Step, Work } from "@drover/domain/workflow/definition";
import type { Draft, Use } from "../check/draft.ts";
import { quote } from "@drover/document/source/fault";
import type { Report } from "@drover/document/source/report";
import { isObject, type Value } from "@drover/document/source/value";
import { kindOf, stepKinds, type StepKind } from "./kind.ts";
import { compileLlm } from "./llm.ts";
import { step as stepShape, type RawStep } from "./step-shape.ts";
import type { BodyFacts } from "./facts.ts";
import { compileTask, present, use, type Compile } from "./task.ts";

/** A step before its edges: those that it asks for, and those that its routes make to others. */
export interface StepDraft extends Draft {
  routes: { exit: number; to: string; at: Value }[];
}

const steering = [
  "id",
  "name",
  "needs",
  "when",
  "each",
  "repeat",
  "retry",
  "timeout",
  "priority",
  "class",
  "budget",
  "critical",
  "mayFail",
  "routes",
];
const atOnce = ["wait", "waitUntil", "event", "approval", "value"];

/** Compiles one step of a graph; undefined where nothing can be made of it. */
export function compileStep(id: string, at: Value, facts: BodyFacts): StepDraft | undefined {
  const { report } = facts;
  const raw = stepShape.read(at, report);
  const kind = at.fields && kindOf(at, report, { kinds: stepKinds, own: steering, name: "a step" });
  if (raw === undefined || kind === undefined) return undefined;
  const uses: Use[] = [];
  const base: Compile = { report, uses, names: [] };
  refuseTogether(raw, at, kind, report);
  if (raw.when !== undefined) uses.push({ at: raw.when.at, expression: raw.when.value, isVerbatim: true });
  const items = use(raw.each?.items, base);
  const names = [
    ...(raw.each === undefined ? [] : ["item", "index", ...(raw.each.as === undefined ? [] : [raw.each.as.value])]),
    ...(raw.repeat === undefined ? [] : ["iteration", "previous"]),
  ];
  if (raw.each?.as !== undefined && taken.has(raw.each.as.value))
    report.add(raw.each.as.at, `Expected a name that is not taken, got ${quote(raw.each.as.value)}.`);
  // What is broken has been reported; the rest of the step is looked at all the same.
  const work = compileWork(kind, raw, at, { ...base, names }, facts) ?? { kind: "value" };
  if (raw.repeat !== undefined) {
    const { until } = raw.repeat;
    uses.push({
      at: until.at,
      expression: until.value,
      isVerbatim: true,
      isAfter: true,
      names: ["iteration", "previous"],
    });
  }
  const { exits, routes } = compileRoutes(raw, base);
  const step = present<Step>({
    id,
    name: raw.name,
    when: raw.when?.value,
    work,
    each:
      items === undefined
        ? undefined
        : present<NonNullable<Step["each"]>>({ items, as: raw.each?.as?.value, concurrency: raw.each?.concurrency }),
    repeat: raw.repeat && {
      until: raw.repeat.until.value,
      maxIterations: raw.repeat.max ?? 10,
      atBound: raw.repeat.atBound ?? "fail",
    },
    exits,
    retry: raw.retry && compileRetry(raw.retry),
    timeoutSeconds: raw.timeout && Math.ceil(raw.timeout),
    priority: raw.priority,
    class: raw.class,
    budgetNanos: raw.budget,
    isCritical: raw.critical,
    mayFail: raw.mayFail,
  });
  const needs = (raw.needs ?? []).map(({ value, at: place }) => ({ from: value, at: place }));
  return { step, at, needs, uses, routes };
}

const taken = new Set(["input", "state", "steps", "run", "index", "iteration", "previous", "output"]);

function compileWork(kind: StepKind, raw: RawStep, at: Value, compile: Compile, facts: BodyFacts): Work | undefined {
  switch (kind) {
    case "run":
    case "command":
    case "worker":
      return raw[kind] === undefined ? undefined : compileTask(raw, at, compile);
    case "llm":
      return raw.llm && compileLlm(raw.llm, compile);
    case "workflow":
      if (raw.workflow === undefined) return undefined;
      return { kind, name: raw.workflow, ...present({ version: raw.version, input: use(raw.input, compile) }) };
    case "steps": {
      if (raw.steps === undefined) return undefined;
      const input = use(raw.input, compile);
      const names = bodyInput(raw, facts);
      const { steps, output, maxParallel } = raw;
      const graph = facts.compileBody(present({ steps, output, maxParallel }), present({ input: names }));
      return { kind, ...present({ input }), ...graph };
    }
    case "wait":
      return raw.wait && { kind, seconds: compileWait(raw.wait, compile) };
    case "waitUntil":
      return raw.waitUntil && { kind: "wait", ...present({ until: compileDate(raw.waitUntil, compile) }) };
    case "event":
      return raw.event && { kind, name: use(raw.event, compile) ?? "" };
    case "approval": {
      if (raw.approval === undefined) return undefined;
      const { approvers, message, atTimeout = "fail" } = raw.approval;
      return { kind, approvers, ...present({ message: use(message, compile) }), atTimeout };
    }
    case "value":
      return { kind, output: use(raw.value, compile) ?? null };
  }
}

function compileWait({ value, at }: NonNullable<RawStep["wait"]>, compile: Compile): number | string {
  if (typeof value === "string") use({ value, at }, compile);
  return value;
}

/** A date without data in it is known before anything runs, so one that is none is a fault now and not then. */
function compileDate(date: NonNullable<RawStep["waitUntil"]>, compile: Compile): Json | undefined {
  const { value, at } = date;
  if (typeof value === "string" && !value.includes("${") && Number.isNaN(parseMoment(value))) {
    compile.report.add(
      at,
      `Expected a date and time with its zone, such as 2026-01-31T12:00:00Z, or \${}, got ${quote(value)}.`,
    );
  }
  return use(date, compile);
}

/** What a body may expect of its input: the run's own, the item of a map, or the keys that it was given. */
function bodyInput(raw: RawStep, facts: BodyFacts): JsonSchema | undefined {
  const given = raw.input?.value;
  if (given === undefined) return raw.each === undefined ? facts.names.input : undefined;
  if (!isObject(given)) return undefined;
  return { type: "object", properties: Object.fromEntries(Object.keys(given).map((key) => [key, {}])) };
}

function compileRoutes(
  raw: RawStep,
  { report, uses }: Compile,
): { exits: Exit[] | undefined; routes: StepDraft["routes"] } {
  const exits: Exit[] = [];
  const routes: StepDraft["routes"] = [];
  for (const { value: route, at } of raw.routes ?? []) {
    const isDefault = route.default === true;
    if (isDefault === (route.when !== undefined)) {
      report.add(at, `Expected a route with either "when" or "default: true", got ${isDefault ? "both" : "neither"}.`);
      continue;
    }
    if (isDefault && exits.some(({ when }) => when === undefined))
      report.add(at, "Expected one default route, got a second one.");
    if (route.when !== undefined)
      uses.push({ at: route.when.at, expression: route.when.value, isVerbatim: true, isAfter: true });
    for (const id of route.to) routes.push({ exit: exits.length, to: id.value, at: id.at });
    exits.push(route.when === undefined ? { group: 0 } : { when: route.when.value, group: 0 });
  }
  return { exits: exits.length > 0 ? exits : undefined, routes };
}

function compileRetry({
  attempts,
  base,
  cap,
  jitter,
  on,
  notOn,
  ...rest
}: NonNullable<RawStep["retry"]>): Partial<RetryPolicy> {
  const milliseconds = (seconds: number | undefined) =>
    seconds === undefined ? undefined : Math.round(seconds * 1000);
  return present<Partial<RetryPolicy>>({
    maxAttempts: attempts,
    baseDelayMs: milliseconds(base),
    maxDelayMs: milliseconds(cap),
    hasJitter: jitter,
    retryOn: on,
    noRetryOn: notOn,
    ...rest,
  });
}

function refuseTogether(raw: RawStep, at: Value, kind: StepKind, report: Report): void {
  if (raw.each !== undefined && raw.repeat !== undefined)
    report.add(at.fields?.get("repeat")?.key ?? at, "Expected each or repeat, got both.", {
      hint: "Put one of them into inline steps of the other.",
    });
  if (raw.repeat !== undefined && atOnce.includes(kind) && kind !== "value")
    report.add(at.fields?.get("repeat")?.key ?? at, `Expected repeat on a step that works, got it with ${kind}.`);
  const retried = raw.retry !== undefined && (atOnce.includes(kind) || kind === "workflow" || kind === "steps");
  if (retried)
    report.add(at.fields?.get("retry")?.key ?? at, `Expected retry on a task or an llm step, got it with ${kind}.`);
}
