import { specChanges } from "./change.ts";
import type { Declaration } from "./declaration.ts";
import { startOrder } from "./dependency.ts";
import { containerText, placementText, replicaSpec } from "./spec.ts";

/**
 * create: a new service. replace: its containers give way to new ones. update: it changes without new containers. scale:
 * only the number of its replicas changes. remove: it is not declared any more. keep: it stays as it is.
 */
export type PlanAction = "create" | "update" | "replace" | "scale" | "remove" | "keep";

/** What applying a declaration does to a service; without a name, to the environment itself. */
export interface PlanStep {
  action: PlanAction;
  service: string;
  /** In words: `image: redis:7 -> redis:8`. */
  changes: string[];
}

/** What changes from one declaration to the next, in the order in which services start; those that go come last. */
export function planEnvironment(before: Declaration | undefined, after: Declaration): PlanStep[] {
  const order = startOrder(after.services).flat();
  const steps = order.map((name) => planService(before, after, name));
  const isDeclared = new Set(order);
  const gone = startOrder(before?.services ?? [])
    .flat()
    .filter((name) => !isDeclared.has(name))
    .toReversed();
  return [
    ...planWhole(before, after),
    ...steps,
    ...gone.map((service): PlanStep => ({ action: "remove", service, changes: [] })),
  ];
}

/** Whether applying would change anything. */
export function isPlanEmpty(steps: readonly PlanStep[]): boolean {
  return steps.every(({ action }) => action === "keep");
}

function planService(before: Declaration | undefined, after: Declaration, name: string): PlanStep {
  const [old, now] = [specOf(before, name), specOf(after, name)];
  if (now === undefined) throw new Error(`service ${name} is in the order but not in the declaration`);
  if (old === undefined) {
    const { image, replicas } = now.service;
    const count = replicas === 1 ? [] : [`replicas: ${replicas}`];
    return { action: "create", service: name, changes: [`image: ${image}`, ...count] };
  }
  const changes = specChanges(old, now);
  const isReplaced = containerText(old) !== containerText(now) || placementText(old) !== placementText(now);
  return { action: actionOf(changes, isReplaced), service: name, changes };
}

function actionOf(changes: readonly string[], isReplaced: boolean): PlanAction {
  if (isReplaced) return "replace";
  if (changes.length === 0) return "keep";
  return changes.every((change) => change.startsWith("replicas: ")) ? "scale" : "update";
}

/** What holds for all services; labels and networks show at the services that have them. */
function planWhole(before: Declaration | undefined, after: Declaration): PlanStep[] {
  if (before === undefined || before.isTogether === after.isTogether) return [];
  const changes = after.isTogether
    ? ["together: no -> yes, for replicas that are placed from now on"]
    : ["together: yes -> no, for replicas that are placed from now on"];
  return [{ action: "update", service: "", changes }];
}

function specOf(declaration: Declaration | undefined, name: string) {
  const service = declaration?.services.find((one) => one.name === name);
  return declaration && service && replicaSpec(declaration, service);
}
