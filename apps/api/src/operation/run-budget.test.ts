import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestRuns, type TestRuns, workerStep } from "./testing-run.ts";

let house: TestRuns;
beforeAll(async () => {
  house = await openTestRuns();
});
afterAll(() => house.queue.close());

it("a run opens its budgets and those of its steps, also of nested ones, in the transaction that makes it", async () => {
  const runId = await house.start({
    budgetNanos: 2_000_000_000,
    steps: [
      workerStep("plain"),
      {
        id: "body",
        budgetNanos: 500_000_000,
        work: { kind: "steps", steps: [workerStep("inner", { budgetNanos: 1000 })] },
      },
    ],
  });
  await house.settle();
  const rows = await house.queue.db.run<{ scope: string; step: string | null; limit: string; is_nested: boolean }>(sql`
    select b.scope, b.step, b.limit_nanos as limit, b.run_id <> b.root_run_id as is_nested
      from drover.budget b where b.root_run_id = ${runId} order by b.limit_nanos desc`);
  expect(rows).toEqual([
    { scope: "run", step: null, limit: "2000000000", is_nested: false },
    { scope: "step", step: "body", limit: "500000000", is_nested: false },
    { scope: "step", step: "inner", limit: "1000", is_nested: true },
  ]);
});
