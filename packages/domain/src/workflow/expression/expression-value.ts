import type { Json } from "../../json.ts";

/** Whether a value counts as true, as in Python: false, null, 0 and what is empty do not. */
export function isTruthy(value: Json): boolean {
  if (value === null || typeof value !== "object") return Boolean(value);
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}

/** Whether two values are the same through and through; nothing is converted. */
export function isEqual(left: Json, right: Json): boolean {
  // A list of pairs instead of recursion: values may be nested deeper than the stack.
  const pairs: [Json, Json][] = [[left, right]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    if (!compareOneLevel(pair[0], pair[1], pairs)) return false;
  }
  return true;
}

/** Below 0 where the left one comes first; undefined unless both are numbers or both are texts. */
export function orderOf(left: Json, right: Json): number | undefined {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left !== "string" || typeof right !== "string") return undefined;
  return left === right ? 0 : left < right ? -1 : 1;
}

/** Whether a list has the item, an object the key, a text the part; undefined where the question makes no sense. */
export function contains(container: Json, sought: Json): boolean | undefined {
  if (Array.isArray(container)) return container.some((item) => isEqual(item, sought));
  if (typeof sought !== "string") return undefined;
  if (typeof container === "string") return container.includes(sought);
  return container !== null && typeof container === "object" ? Object.hasOwn(container, sought) : undefined;
}

/** How many characters, items or keys; undefined where there are none to count. */
export function lengthOf(value: Json): number | undefined {
  if (value === null) return undefined;
  if (typeof value === "object") return Array.isArray(value) ? value.length : Object.keys(value).length;
  return typeof value === "string" ? countCharacters(value) : undefined;
}

/** The kind of a value, for messages. */
export function describeKind(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "a text";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Whether lists and objects are nested in more than so many levels. */
export function isDeeperThan(value: Json, levels: number): boolean {
  let level: Json[] = [value];
  for (let depth = 0; depth <= levels; depth++) {
    level = level.flatMap((parent) => (parent !== null && typeof parent === "object" ? Object.values(parent) : []));
    if (level.length === 0) return false;
  }
  return true;
}

function compareOneLevel(left: Json, right: Json, pairs: [Json, Json][]): boolean {
  if (left === null || right === null || typeof left !== "object" || typeof right !== "object") return left === right;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    left.forEach((item, index) => pairs.push([item, right[index] ?? null]));
    return true;
  }
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length || !keys.every((key) => Object.hasOwn(right, key))) return false;
  keys.forEach((key) => pairs.push([left[key] ?? null, right[key] ?? null]));
  return true;
}

function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
