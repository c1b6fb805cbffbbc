import { describe, expect, it } from "vitest";
import { drainSeconds, replicaSeconds, taskSeconds } from "./drain.ts";

const task = { elapsedSeconds: 30, limitSeconds: 300, deadlineSeconds: 600 };

describe("taskSeconds", () => {
  it("expects a task to take as long as its like did", () => {
    expect(taskSeconds({ ...task, usualSeconds: 40.2 })).toBe(11);
  });

  it("expects the time limit of one whose like is not known, or that has outlived it", () => {
    expect(taskSeconds(task)).toBe(270);
    expect(taskSeconds({ ...task, usualSeconds: 20 })).toBe(270);
  });

  it("expects no more than the deadline, and nothing less than now", () => {
    expect(taskSeconds({ ...task, deadlineSeconds: 60 })).toBe(60);
    expect(taskSeconds({ ...task, elapsedSeconds: 400 })).toBe(0);
  });
});

describe("replicaSeconds", () => {
  it("expects a replacement to start as fast as the replica did, before the deadline", () => {
    expect(replicaSeconds({ hasPlace: true, startSeconds: 3.5, deadlineSeconds: 600 })).toBe(4);
    expect(replicaSeconds({ hasPlace: true, deadlineSeconds: 5 })).toBe(5);
  });

  it("expects one without a place to stay until the deadline, and one that is stopped to leave at once", () => {
    expect(replicaSeconds({ hasPlace: false, startSeconds: 3.5, deadlineSeconds: 600 })).toBe(600);
    expect(replicaSeconds({ hasPlace: false, isStopped: true, deadlineSeconds: 600 })).toBe(0);
  });
});

describe("drainSeconds", () => {
  it("is the time of the slowest, since all leave at once", () => {
    expect(drainSeconds([{ expectedSeconds: 5 }, { expectedSeconds: 9 }], 600)).toBe(9);
    expect(drainSeconds([{ expectedSeconds: 5 }], 3)).toBe(3);
    expect(drainSeconds([], 600)).toBe(0);
  });
});
