import { type DecidedEdge, edgeState } from "./join.ts";
import { stepOf } from "./scope.ts";
import type { Sheet } from "./sheet.ts";

const golden = 0.618;
const firstRead = 8;

/**
 * The states of the edges that lead to a step, in their order; undefined while one is open or must be read first.
 * Looks no further than to the first open one, in strides by the golden ratio: in whatever order the sources of a wide
 * join end, few are read each time. What must be read is asked for in batches that double.
 */
export function decidedEdges(sheet: Sheet, number: number): DecidedEdge[] | undefined {
  const needs = stepOf(sheet, number).needs ?? [];
  const states: DecidedEdge[] = [];
  let unread = 0;
  let read = 0;
  for (const place of places(needs.length)) {
    const edge = needs[place];
    const source = edge === undefined ? undefined : sheet.index.numberOf.get(edge.from);
    if (edge === undefined || source === undefined) {
      states[place] = "broken";
      continue;
    }
    const row = sheet.row(source);
    if (row === undefined) {
      unread += 1;
      if (unread >= Math.max(firstRead, read)) return undefined;
      continue;
    }
    read += 1;
    const state = edgeState(edge, stepOf(sheet, source), row);
    if (state === "open") return undefined;
    states[place] = state;
  }
  return unread > 0 ? undefined : states;
}

function* places(length: number): Generator<number> {
  let stride = Math.max(1, Math.round(length * golden));
  while (greatestDivisor(stride, length) > 1) stride += 1;
  for (let seen = 0, place = length - 1; seen < length; seen++, place = (place + stride) % length) yield place;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
