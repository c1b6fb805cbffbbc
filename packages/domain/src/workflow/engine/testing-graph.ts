import fc from "fast-check";
import type { Definition, Exit, Graph, Step } from "../definition.ts";

/** What a random graph may hold. */
export interface GraphOptions {
  maxSteps: number;
  hasConditions: boolean;
  mayStop: boolean;
  depth?: number;
}

/** Random workflows: any shape, tasks and values, maps, loops, bodies, ways out, what may fail and what stops. */
export function anyDefinition(options: GraphOptions): fc.Arbitrary<Definition> {
  const policy = options.mayStop
    ? fc.constantFrom("continue" as const, "stop" as const)
    : fc.constant("continue" as const);
  return fc
    .record({
      graph: anyGraph(options),
      onFailure: policy,
      share: fc.option(fc.constantFrom(0, 0.3, 1), { nil: undefined }),
    })
    .map(({ graph, onFailure, share }) => ({
      name: "random",
      ...graph,
      failure: { onFailure, ...(share !== undefined && { maxFailedShare: share }) },
    }));
}

interface StepPlan {
  needs: { back: number; exit: number }[];
  kind: "task" | "value" | "steps";
  shape: "once" | "each" | "repeat";
  size: number;
  width: number;
  when: boolean | undefined;
  exits: { isTrue: boolean | undefined; group: number }[];
  mayFail: boolean;
  isCritical: boolean;
  body: Graph | undefined;
}

function anyGraph({ depth = 0, ...options }: GraphOptions): fc.Arbitrary<Graph> {
  const { maxSteps, hasConditions, mayStop } = options;
  const inner = { ...options, maxSteps: 4, depth: depth + 1 };
  const plan: fc.Arbitrary<StepPlan> = fc.record({
    needs: fc.array(fc.record({ back: fc.nat(7), exit: fc.nat(5) }), { maxLength: 3 }),
    kind: fc.constantFrom(...(["task", "task", "task", "value"] as const), ...(depth < 2 ? (["steps"] as const) : [])),
    shape: fc.constantFrom("once" as const, "once" as const, "once" as const, "each" as const, "repeat" as const),
    size: fc.nat(4),
    width: fc.integer({ min: 1, max: 5 }),
    when: hasConditions ? fc.constantFrom(undefined, undefined, true, false) : fc.constant(undefined),
    exits: hasConditions
      ? fc.array(fc.record({ isTrue: fc.constantFrom(undefined, true, false), group: fc.nat(1) }), { maxLength: 4 })
      : fc.constant([]),
    mayFail: fc.constantFrom(false, false, true),
    isCritical: mayStop ? fc.constantFrom(false, false, false, true) : fc.constant(false),
    body: depth < 2 ? fc.option(fc.memo(() => anyGraph(inner))(), { nil: undefined }) : fc.constant(undefined),
  });
  return fc
    .record({
      plans: fc.array(plan, { minLength: 1, maxLength: maxSteps }),
      maxParallel: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    })
    .map(({ plans, maxParallel }) => ({
      steps: plans.map((one, place) => stepOf(one, place, plans)),
      ...(maxParallel !== undefined && { maxParallel }),
    }));
}

function stepOf(plan: StepPlan, place: number, plans: StepPlan[]): Step {
  const needs = plan.needs.flatMap(({ back, exit }) => {
    const from = place - 1 - back;
    const exits = plans[from]?.exits.length ?? 0;
    // About every second edge from a step with ways out names one.
    return from < 0 ? [] : [{ from: `s${from}`, ...(exits > 0 && exit % 2 === 0 && { exit: (exit / 2) % exits }) }];
  });
  const exits: Exit[] = plan.exits.map(({ isTrue, group }) => ({
    group,
    ...(isTrue !== undefined && { when: String(isTrue) }),
  }));
  return {
    id: `s${place}`,
    ...(needs.length > 0 && { needs }),
    ...(plan.when !== undefined && { when: String(plan.when) }),
    ...(exits.length > 0 && { exits }),
    work: workOf(plan),
    ...(plan.shape === "each" && {
      each: { items: Array.from({ length: plan.size }, (_, item) => item), concurrency: plan.width },
    }),
    ...(plan.shape === "repeat" && {
      repeat: {
        until: `iteration >= ${plan.size}`,
        maxIterations: plan.width,
        atBound: plan.size % 2 === 0 ? ("fail" as const) : ("complete" as const),
      },
    }),
    ...(plan.mayFail && { mayFail: true }),
    ...(plan.isCritical && { isCritical: true }),
  };
}

function workOf({ kind, body }: StepPlan): Step["work"] {
  if (kind === "steps" && body !== undefined) return { kind: "steps", ...body };
  return kind === "value" ? { kind: "value", output: "${run.id}" } : { kind: "task", type: "any" };
}
