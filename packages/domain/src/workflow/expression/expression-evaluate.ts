import type { Json } from "../../json.ts";
import type { ParsedExpression } from "./expression.ts";
import type { Comparison, ExpressionNode } from "./expression-node.ts";
import { contains, describeKind, isEqual, isTruthy, lengthOf, orderOf } from "./expression-value.ts";
import { resolveReference } from "./reference.ts";
import type { Evaluation, Reference, Scope } from "./reference.ts";

/**
 * The value of an expression; or the first fault; or, before any fault, every output of a step that may be needed and
 * is not loaded. What a short circuit leaves out is neither faulty nor missing.
 */
export function evaluate(expression: ParsedExpression, scope: Scope): Evaluation {
  const outcome = evaluateNode(expression.node, scope);
  return "missing" in outcome ? { missing: oncePerStep(outcome.missing) } : outcome;
}

/** Of references to outputs of steps the first to each step. */
export function oncePerStep(references: readonly Reference[]): Reference[] {
  const first = new Map<string | number | undefined, Reference>();
  for (const reference of references) {
    if (!first.has(reference.path[0])) first.set(reference.path[0], reference);
  }
  return [...first.values()];
}

function evaluateNode(node: ExpressionNode, scope: Scope): Evaluation {
  switch (node.kind) {
    case "literal":
      return { value: node.value };
    case "reference":
      return resolveReference(node.reference, scope);
    case "length":
      return then(evaluateNode(node.of, scope), (value) => measure(value, node.offset));
    case "not":
      return then(evaluateNode(node.of, scope), (value) => ({ value: !isTruthy(value) }));
    case "compare":
      return evaluateComparison(node, scope);
    default:
      return evaluateChain(node.kind === "or", node.of, scope);
  }
}

/** Stops at the first operand that decides; behind a missing one the others are only asked for what they miss. */
function evaluateChain(deciding: boolean, operands: readonly ExpressionNode[], scope: Scope): Evaluation {
  const missing: Reference[] = [];
  for (const operand of operands) {
    const outcome = evaluateNode(operand, scope);
    if ("missing" in outcome) {
      for (const reference of outcome.missing) missing.push(reference);
    } else if ("fault" in outcome) return missing.length > 0 ? { missing } : outcome;
    else if (isTruthy(outcome.value) === deciding) return missing.length > 0 ? { missing } : { value: deciding };
  }
  return missing.length > 0 ? { missing } : { value: !deciding };
}

function evaluateComparison(node: ExpressionNode & { kind: "compare" }, scope: Scope): Evaluation {
  const left = evaluateNode(node.left, scope);
  if ("fault" in left) return left;
  const right = evaluateNode(node.right, scope);
  if ("missing" in left) return { missing: [...left.missing, ...("missing" in right ? right.missing : [])] };
  return then(right, (value) => compare(node.comparison, left.value, value, node.offset));
}

function compare(comparison: Comparison, left: Json, right: Json, offset: number): Evaluation {
  if (comparison === "==") return { value: isEqual(left, right) };
  if (comparison === "!=") return { value: !isEqual(left, right) };
  if (comparison === "in") {
    const value = contains(right, left);
    return value === undefined
      ? mismatch("a list, or a text in a text or object", left, "in", right, offset)
      : { value };
  }
  const order = orderOf(left, right);
  return order === undefined
    ? mismatch("two numbers or two texts", left, comparison, right, offset)
    : { value: isOrdered(comparison, order) };
}

function isOrdered(comparison: "<" | "<=" | ">" | ">=", order: number): boolean {
  switch (comparison) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
  }
}

function measure(value: Json, offset: number): Evaluation {
  const length = lengthOf(value);
  return length === undefined
    ? { fault: `expected a text, list or object in length() at position ${offset}, got ${describeKind(value)}` }
    : { value: length };
}

function mismatch(expected: string, left: Json, comparison: Comparison, right: Json, offset: number): Evaluation {
  const got = `${describeKind(left)} ${comparison} ${describeKind(right)}`;
  return { fault: `expected ${expected} around "${comparison}" at position ${offset}, got ${got}` };
}

function then(outcome: Evaluation, next: (value: Json) => Evaluation): Evaluation {
  return "value" in outcome ? next(outcome.value) : outcome;
}
