import { describe, expect, it } from "vitest";
import { environmentLifecycle, replicaLifecycle } from "./environment/lifecycle.ts";
import { type Lifecycle, renderLifecycle } from "./lifecycle.ts";
import { taskLifecycle } from "./task.ts";
import { runLifecycle, stepLifecycle } from "./workflow/lifecycle.ts";

const lives: [string, Lifecycle][] = [
  ["task", taskLifecycle],
  ["run", runLifecycle],
  ["step", stepLifecycle],
  ["replica", replicaLifecycle],
  ["environment", environmentLifecycle],
];

describe.each(lives)("the life of a %s", (_, { states, transitions }) => {
  it("moves between states that it has", () => {
    const named = transitions.flatMap(({ from, to }) => (from === null ? [to] : [from, to]));
    expect(named.filter((state) => !Object.hasOwn(states, state))).toEqual([]);
  });

  it("reaches every state from the beginning", () => {
    const reached = new Set<string | null>([null]);
    for (let round = 0; round < transitions.length; round++) {
      for (const { from, to } of transitions) if (reached.has(from)) reached.add(to);
    }
    expect(Object.keys(states).filter((state) => !reached.has(state))).toEqual([]);
  });

  it("lets every state that is not final end", () => {
    const ends = new Set(Object.keys(states).filter((state) => states[state]?.isFinal === true));
    for (let round = 0; round < transitions.length; round++) {
      for (const { from, to } of transitions) if (from !== null && ends.has(to)) ends.add(from);
    }
    expect([...ends].toSorted()).toEqual(Object.keys(states).toSorted());
  });

  it("names no move twice", () => {
    const moves = transitions.map(({ cause, from, to }) => `${cause} ${from} ${to}`);
    expect(new Set(moves).size).toBe(moves.length);
  });
});

describe("final states", () => {
  it("are left by hand only: by a redrive, a resume, a rerun, a start or an apply", () => {
    const leaving = lives.flatMap(([, { states, transitions }]) =>
      transitions.filter(({ from }) => from !== null && states[from]?.isFinal === true),
    );
    expect([...new Set(leaving.map(({ cause }) => cause))].toSorted()).toEqual([
      "apply",
      "redrive",
      "rerun",
      "resume",
      "start",
    ]);
  });
});

describe("renderLifecycle", () => {
  it("renders one arrow per pair of states with all its causes", () => {
    const diagram = renderLifecycle(taskLifecycle);
    expect(diagram).toMatch(/^stateDiagram-v2\n/);
    expect(diagram).toContain("  [*] --> pending: submit\n");
    expect(diagram).toContain("  running --> pending: lose, release\n");
    expect(diagram).toContain("  completed --> [*]\n");
    expect(diagram.match(/running --> failed/g)).toHaveLength(1);
  });
});
