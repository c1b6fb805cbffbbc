import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestRuns, type TestRuns } from "../testing-run.ts";

let house: TestRuns;
beforeAll(async () => {
  house = await openTestRuns();
});
afterAll(() => house.queue.close());

it("sends steps that ask for GPUs to be placed, and others straight to the nodes", async () => {
  const execution = { image: "busybox", command: ["true"] };
  await house.start({
    steps: [
      { id: "train", work: { kind: "task", execution: { ...execution, resources: { gpuCount: 2 } } } },
      { id: "plain", work: { kind: "task", execution } },
    ],
  });
  await house.settle();
  const rows = await house.queue.db.run<{ line: string }>(sql`
    select q.executor || ' ' || q.task_type as line from drover.task_ready r join drover.queue q on q.id = r.queue_id order by 1`);
  expect(rows.map(({ line }) => line)).toEqual(["docker ", "docker placed"]);
});
