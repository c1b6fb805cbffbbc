import type { Json } from "../../json.ts";
import { findSimilar } from "../../similar.ts";
import { describeKind } from "./expression-value.ts";

/** What an expression reads: `steps.extract.output[0]` is root `steps`, path `["extract", "output", 0]`. */
export interface Reference {
  root: string;
  path: readonly (string | number)[];
  /** Where it stands in its text, in UTF-16 units. */
  offset: number;
  length: number;
}

/** What references are answered from; outputs of steps may still have to be loaded. */
export interface Scope {
  root(name: string): Json | undefined;
  step(id: string): { output: Json } | "missing" | { fault: string };
  /** The names that `root` knows, to say so when another is asked for. */
  names?: readonly string[];
}

/** A value, or why there is none, or references (one for each step, its id is the first of the path) to load before. */
export type Evaluation = { value: Json } | { fault: string } | { missing: Reference[] };

const plainName = /^[\p{L}_][\p{L}\p{N}_-]*$/u;
const maxNamed = 10;
const maxCompared = 1000;
const maxWord = 100;

/** The value that a reference stands for: own properties only, and an absent one is a fault that names what is there. */
export function resolveReference(reference: Reference, scope: Scope): Evaluation {
  const { root, path } = reference;
  if (root === "steps") {
    const answer = scope.step(String(path[0]));
    if (answer === "missing") return { missing: [reference] };
    return "fault" in answer ? answer : follow(answer.output, reference, 2);
  }
  const value = scope.root(root);
  if (value === undefined) {
    return { fault: expectedOneOf(root, scope.names ?? [], "a known name", "of the names") };
  }
  return follow(value, reference, 0);
}

/** A reference as it is written in an expression. */
export function printReference(root: string, path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === "string" && plainName.test(key) ? `${text}.${key}` : `${text}[${JSON.stringify(key)}]`,
    root,
  );
}

function follow(start: Json, { root, path }: Reference, from: number): Evaluation {
  let value = start;
  for (let place = from; place < path.length; place++) {
    const key = path[place] ?? 0;
    const next = typeof key === "number" ? item(value, key) : property(value, key);
    if ("fault" in next) return { fault: `in ${printReference(root, path.slice(0, place))}: ${next.fault}` };
    value = next.value;
  }
  return { value };
}

function item(list: Json, index: number): { value: Json } | { fault: string } {
  if (!Array.isArray(list)) return { fault: `expected a list to take [${index}] of, got ${describeKind(list)}` };
  const value = list[index];
  if (value !== undefined) return { value };
  const range = list.length === 0 ? "no index, because the list is empty" : `an index from 0 to ${list.length - 1}`;
  return { fault: `expected ${range}, got ${index}` };
}

function property(object: Json, key: string): { value: Json } | { fault: string } {
  if (object === null || typeof object !== "object" || Array.isArray(object)) {
    return { fault: `expected an object with the key ${JSON.stringify(key)}, got ${describeKind(object)}` };
  }
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (value !== undefined) return { value };
  return { fault: expectedOneOf(key, Object.keys(object), "a key, but the object is empty", "of the keys") };
}

function expectedOneOf(word: string, known: readonly string[], none: string, noun: string): string {
  const named = known.slice(0, maxNamed).map((name) => JSON.stringify(shorten(name)));
  const others = known.length > maxNamed ? ` and ${known.length - maxNamed} others` : "";
  const expected = known.length === 0 ? none : `one ${noun} ${named.join(", ")}${others}`;
  // Known names come from data: what they may cost to compare is bounded.
  const meant = word.length > maxWord ? undefined : findSimilar(word, known.slice(0, maxCompared));
  const hint = meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`;
  return `expected ${expected}, got ${JSON.stringify(shorten(word))}${hint}`;
}

function shorten(name: string): string {
  return name.length > maxWord ? `${name.slice(0, maxWord)}…` : name;
}
