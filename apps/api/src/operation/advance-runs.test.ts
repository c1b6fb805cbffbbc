import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestRuns, type TestRuns, workerStep } from "./testing-run.ts";

let house: TestRuns;
beforeAll(async () => {
  house = await openTestRuns();
});
afterAll(() => house.queue.close());

describe("advanceRuns", () => {
  it("runs a chain step by step, each with what the former one gave", async () => {
    const runId = await house.start(
      {
        steps: [
          workerStep("a", { work: { kind: "task", type: "a", payload: "${input.x}" } }),
          workerStep("b", {
            work: { kind: "task", type: "b", payload: { got: "${steps.a.output.n}" } },
            needs: [{ from: "a" }],
          }),
        ],
      },
      { x: 7 },
    );
    expect(await house.state(runId)).toMatchObject({ state: "pending" });
    await house.settle();
    const first = await house.claim();
    expect(first).toMatchObject([{ type: "a", payload: 7 }]);
    await house.finish(first, () => ({ n: 42 }));
    await house.settle();
    const second = await house.claim();
    expect(second).toMatchObject([{ type: "b", payload: { got: 42 } }]);
    expect(await house.state(runId)).toMatchObject({ state: "running" });
    await house.finish(second, () => "done");
    await house.settle();
    expect(await house.state(runId)).toEqual({ state: "completed", output: { b: "done" }, error: null });
    expect(await house.steps(runId)).toEqual(["0 completed", "1 completed"]);
  });

  it("skips what hangs on a failed step and lets the rest go on", async () => {
    const runId = await house.start({
      steps: [workerStep("bad"), workerStep("good"), workerStep("after", { needs: [{ from: "bad" }] })],
    });
    await house.settle();
    const claims = await house.claim();
    await house.fail(claims.filter((one) => one.type === "bad"));
    await house.finish(
      claims.filter((one) => one.type === "good"),
      () => 1,
    );
    await house.settle();
    expect(await house.steps(runId)).toEqual(["0 failed", "1 completed", "2 skipped"]);
    expect(await house.state(runId)).toMatchObject({ state: "partially_completed", error: { class: "step_failed" } });
  });

  it("runs a step for every item of a list, no more at once than it may, and joins their outputs in order", async () => {
    const runId = await house.start(
      {
        steps: [
          workerStep("m", {
            work: { kind: "task", type: "m", payload: "${item}" },
            each: { items: "${input.list}", concurrency: 2 },
          }),
          { id: "sum", work: { kind: "value", output: "${steps.m.output}" }, needs: [{ from: "m" }] },
        ],
      },
      { list: [1, 2, 3, 4, 5] },
    );
    const sizes: number[] = [];
    for (;;) {
      await house.settle();
      const claims = await house.claim();
      if (claims.length === 0) break;
      sizes.push(claims.length);
      await house.finish(claims, (one) => Number(one.payload) * 10);
    }
    expect(sizes).toEqual([2, 2, 1]);
    expect(await house.state(runId)).toMatchObject({ state: "completed", output: { sum: [10, 20, 30, 40, 50] } });
  });

  it("runs the body of a step as a nested run, for every item", async () => {
    const runId = await house.start(
      {
        steps: [
          {
            id: "each",
            each: { items: "${input.list}" },
            work: {
              kind: "steps",
              steps: [workerStep("inner", { work: { kind: "task", type: "inner", payload: "${input}" } })],
              output: { doubled: "${steps.inner.output}" },
            },
          },
        ],
      },
      { list: [1, 2] },
    );
    await house.settle();
    await house.finish(await house.claim(), (one) => Number(one.payload) * 2);
    await house.settle();
    expect(await house.state(runId)).toMatchObject({
      state: "completed",
      output: { each: [{ doubled: 2 }, { doubled: 4 }] },
    });
  });
});
