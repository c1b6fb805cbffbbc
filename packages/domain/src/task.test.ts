import { describe, expect, it } from "vitest";
import { canMove, isFinal, isTaskState, taskLifecycle, taskStates } from "./task.ts";

describe("task lifecycle", () => {
  it("leads every state that is not final on to another one", () => {
    const stuck = taskStates.filter(
      (state) => !isFinal(state) && !taskLifecycle.transitions.some((move) => move.from === state),
    );
    expect(stuck).toEqual([]);
  });

  it("reaches every state from submission", () => {
    const reached = new Set<string | null>([null]);
    for (let round = 0; round < taskStates.length; round++) {
      for (const { from, to } of taskLifecycle.transitions) {
        if (reached.has(from)) reached.add(to);
      }
    }
    expect(taskStates.filter((state) => !reached.has(state))).toEqual([]);
  });

  it("lets every state that is not final end, whatever it is in", () => {
    const ends = new Set<string>(taskStates.filter(isFinal));
    for (let round = 0; round < taskStates.length; round++) {
      for (const { from, to } of taskLifecycle.transitions) {
        if (from !== null && ends.has(to)) ends.add(from);
      }
    }
    expect([...ends].toSorted()).toEqual(taskStates.toSorted());
  });

  it("leaves a final state by redrive only, and completed never", () => {
    const leaving = taskLifecycle.transitions.filter((move) => move.from !== null && isFinal(move.from));
    expect(leaving.map((move) => `${move.from} ${move.cause}`)).toEqual(["failed redrive", "cancelled redrive"]);
  });

  it("names each cause from a state once, so that a cause tells where it leads", () => {
    const pairs = taskLifecycle.transitions.map((move) => `${move.from} ${move.cause}`);
    expect(new Set(pairs).size).toBe(pairs.length);
  });

  it("allows the moves of the table and no others", () => {
    expect(canMove(null, "pending")).toBe(true);
    expect(canMove("running", "waiting")).toBe(true);
    expect(canMove("pending", "completed")).toBe(false);
    expect(canMove("waiting", "running")).toBe(false);
    expect(canMove("completed", "pending")).toBe(false);
    expect(canMove(null, "running")).toBe(false);
  });

  it("knows a state by its name and no inherited property", () => {
    expect(isTaskState("running")).toBe(true);
    expect(isTaskState("toString")).toBe(false);
  });
});
