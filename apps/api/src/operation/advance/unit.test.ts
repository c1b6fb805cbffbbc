import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestRuns, type TestRuns } from "../testing-run.ts";

let house: TestRuns;
beforeAll(async () => {
  house = await openTestRuns({ maxNestedRuns: 50 });
});
afterAll(() => house.queue.close());

const runsOf = async (rootRunId: string) => {
  const [row] = await house.queue.db.run<{ nested: number }>(sql`
    select count(*)::integer as nested from drover.workflow_run where root_run_id = ${rootRunId} and parent_run_id is not null`);
  return row?.nested;
};

describe("a workflow that starts itself three times over", () => {
  it("begins no more nested runs than one run may, and ends", async () => {
    const again = {
      id: "again",
      each: { items: [1, 2, 3] },
      work: { kind: "workflow", name: "selfmap", input: {} },
    } as const;
    const runId = await house.start({ name: "selfmap", steps: [{ ...again, each: { items: [1, 2, 3] } }] });
    await house.settle();
    expect(await house.state(runId)).toMatchObject({ state: "failed" });
    expect(await runsOf(runId)).toBe(50);
    const rows = await house.queue.db.run<{ class: string; message: string }>(sql`
      select distinct s.error ->> 'class' as class, s.error ->> 'message' as message from drover.step s
        join drover.workflow_run r on r.id = s.run_id
       where r.root_run_id = ${runId} and s.item >= 0 and s.error ->> 'class' = 'too_many_runs'`);
    expect(rows).toEqual([
      {
        class: "too_many_runs",
        message: "Expected at most 50 nested runs of one run, got more; does it start itself?",
      },
    ]);
    expect(await house.queue.count("run_tree")).toBe(0);
  });

  it("leaves a map that fits alone", async () => {
    const work = { kind: "steps", steps: [{ id: "v", work: { kind: "value", output: 1 } }] } as const;
    const steps = [
      { id: "m", each: { items: Array.from({ length: 50 }, (_, n) => n) }, work: { ...work, steps: [...work.steps] } },
    ];
    const runId = await house.start({ steps });
    await house.settle();
    expect(await house.state(runId)).toMatchObject({ state: "completed" });
    expect(await runsOf(runId)).toBe(50);
  });
});
