/** A step as the layout sees it. */
export interface LayoutStep {
  id: string;
  needs: readonly string[];
}

/** A line of the drawing. */
export interface LayoutLine {
  /** Place of the step in the list that was given. */
  index: number;
  /** What is drawn before its name. */
  prefix: string;
  /** What is drawn before what belongs to it, in lines of its own. */
  below: string;
  /** Where ways come together: the steps that it waits for. Empty for a step with one need or none. */
  joins: string[];
}

/**
 * Draws a graph as text, a line for each step. Steps that follow each other stand below each other; where a way forks,
 * its branches are indented; where they come together again, the drawing is back at the column of the fork.
 *
 *     list
 *     ├─ summarise
 *     │  check
 *     └─ count
 *     report
 *
 * The place of a step is that of the last step that every way to it leads through (its immediate dominator).
 */
export function layoutGraph(steps: readonly LayoutStep[]): LayoutLine[] {
  const indexOf = new Map(steps.map(({ id }, index) => [id, index]));
  const needs = steps.map((step) => [...new Set(step.needs)].flatMap((id) => indexOf.get(id) ?? []));
  const order = sortByNeeds(needs);
  const { forks, joins } = placeBelow(needs, order);
  const lines: LayoutLine[] = [];
  const open: { index: number; prefix: string; below: string }[] = [];
  const pushBelow = (index: number, below: string) => {
    const [branches, ends] = [forks.get(index) ?? [], joins.get(index) ?? []];
    const isChain = branches.length === 1 && ends.length === 0;
    const next = branches.map((branch, place) => {
      const isLast = place === branches.length - 1;
      if (isChain) return { index: branch, prefix: below, below };
      return { index: branch, prefix: `${below}${isLast ? "└─ " : "├─ "}`, below: `${below}${isLast ? "   " : "│  "}` };
    });
    next.push(...ends.map((end) => ({ index: end, prefix: below, below })));
    open.push(...next.toReversed());
  };
  pushBelow(root, "");
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { index, prefix, below } = item;
    const own = needs[index] ?? [];
    lines.push({ index, prefix, below, joins: own.length > 1 ? own.map((need) => steps[need]?.id ?? "") : [] });
    pushBelow(index, below);
  }
  return lines;
}

/** Stands above the steps that need nothing. */
const root = -1;

/** Steps after all that they need, else in the order in which they were given. */
function sortByNeeds(needs: readonly number[][]): number[] {
  const followers: number[][] = needs.map(() => []);
  for (const [index, own] of needs.entries()) for (const need of own) followers[need]?.push(index);
  const left = needs.map((own) => own.length);
  const order = needs.flatMap((own, index) => (own.length === 0 ? [index] : []));
  for (let at = 0; at < order.length; at++) {
    for (const follower of followers[order[at] ?? 0] ?? []) {
      left[follower] = (left[follower] ?? 0) - 1;
      if (left[follower] === 0) order.push(follower);
    }
  }
  return order;
}

/** For each step what is drawn below it: what only it leads to, and where ways that part below it come together. */
function placeBelow(needs: readonly number[][], order: readonly number[]) {
  const above = new Map<number, number>();
  const depth = new Map([[root, 0]]);
  const forks = new Map<number, number[]>();
  const joins = new Map<number, number[]>();
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      if ((depth.get(a) ?? 0) >= (depth.get(b) ?? 0)) a = above.get(a) ?? root;
      else b = above.get(b) ?? root;
    }
    return a;
  };
  for (const index of order) {
    const [first = root, ...others] = needs[index] ?? [];
    const parent = others.reduce(meet, first);
    above.set(index, parent);
    depth.set(index, (depth.get(parent) ?? 0) + 1);
    const lists = others.length === 0 ? forks : joins;
    const list = lists.get(parent);
    if (list === undefined) lists.set(parent, [index]);
    else list.push(index);
  }
  return { forks, joins };
}
