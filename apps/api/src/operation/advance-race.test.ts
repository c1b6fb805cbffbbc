import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestRuns, type TestRuns, workerStep } from "./testing-run.ts";

let house: TestRuns;
beforeAll(async () => {
  house = await openTestRuns();
});
afterAll(() => house.queue.close());

const join = {
  steps: [workerStep("a"), workerStep("b"), workerStep("join", { needs: [{ from: "a" }, { from: "b" }] })],
};

describe("a join whose branches end at the same time", () => {
  it("begins once, when the second end commits while the first is being advanced", async () => {
    await house.start(join);
    await house.settle();
    const [a, b] = await house.claim();
    if (!a || !b) throw new Error("expected two tasks");
    await house.finish([a]);
    // A replica has taken the run and its signal, and is slow to decide.
    const slow = await house.queue.session();
    await slow.begin();
    const taken = await slow.run<{ run_id: string }>(sql`select run_id from drover.take_runs(10, 100)`);
    expect(taken).toHaveLength(1);
    await house.finish([b]);
    // Nobody else gets at the run meanwhile; the signal of the second end waits for whoever comes next.
    expect(await house.settle()).toBe(0);
    await slow.rollback();
    await house.settle();
    const joined = await house.claim();
    expect(joined.map((one) => one.type)).toEqual(["join"]);
    await house.finish(joined);
  });

  it("begins once, when many replicas advance at once", async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => house.start(join)));
    await house.settle();
    const claims = await house.claim();
    expect(claims).toHaveLength(40);
    await Promise.all([
      ...claims.map((one) => house.finish([one])),
      ...Array.from({ length: 8 }, () => house.settle()),
    ]);
    await house.settle();
    const joined = await house.claim();
    expect(joined).toHaveLength(20);
    await house.finish(joined);
    await house.settle();
    const states = await Promise.all(runs.map((runId) => house.state(runId)));
    expect(states.map((one) => one.state)).toEqual(Array.from({ length: 20 }, () => "completed"));
  });
});

describe("an advance that dies", () => {
  it("leaves everything as it was, for the next replica", async () => {
    const runId = await house.start(join);
    const dying = await house.queue.session();
    await dying.begin();
    expect(await dying.run(sql`select * from drover.take_runs(10, 100)`)).toHaveLength(1);
    await dying.run(
      sql`select drover.write_advance('{"tasks":[],"children":[],"steps":[],"runs":[],"memory":[],"cancels":[],"stops":[],"ends":[],"events":[]}')`,
    );
    await dying.rollback();
    await house.settle();
    const claims = await house.claim();
    expect(claims.map((one) => one.type).toSorted()).toEqual(["a", "b"]);
    await house.finish(claims);
    await house.settle();
    await house.finish(await house.claim());
    await house.settle();
    expect(await house.state(runId)).toMatchObject({ state: "completed" });
  });
});

describe("a start that is repeated", () => {
  it("makes one run, when two with one key come at once", async () => {
    const { db } = house.queue;
    const runId = await house.start({ name: "once", steps: [workerStep("only")] });
    const before = await house.queue.count("workflow_run");
    const { startRun } = await import("./start-run.ts");
    const caller = { namespace: "default", actor: "test" };
    const start = () =>
      db.transaction((tx) =>
        startRun(house.deps, tx, caller, { workflow: "once", input: { n: 1 }, idempotencyKey: "k" }),
      );
    const answers = await Promise.all(Array.from({ length: 8 }, start));
    expect(new Set(answers.map((answer) => answer.runId)).size).toBe(1);
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    expect(await house.queue.count("workflow_run")).toBe(before + 1);
    expect(answers[0]?.runId).not.toBe(runId);
  });
});
