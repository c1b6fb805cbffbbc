import { createClient } from "@connectrpc/connect";
import { RunService } from "@drover/proto/drover/run";
import { WorkflowService } from "@drover/proto/drover/workflow";
import { describe, expect, it } from "vitest";
import { insist } from "./client.ts";
import { killPostgres } from "./crash.ts";
import { openLedger } from "./ledger.ts";
import { createWorld } from "./world.ts";

const runs = 150;
const items = 5;

// A fork, a map, a nested body and a join: every kind of advance happens many times.
const source = `
drover: workflow/v1
name: survivor
steps:
  first: {worker: echo, payload: "\${input.n}"}
  many: {worker: echo, payload: "\${item}", each: "\${input.list}", needs: [first]}
  inner:
    needs: [first]
    input: "\${steps.first.output}"
    steps:
      one: {worker: echo, payload: "\${input}"}
      two: {worker: echo, payload: "\${steps.one.output}"}
  last: {worker: echo, payload: {many: "\${steps.many.output}", n: "\${steps.first.output}"}, needs: [many, inner]}
output: "\${steps.last.output}"
`;

describe("runs of a workflow while everything is killed in turn", () => {
  it("all end, and every step of them has exactly one task", async () => {
    await using world = createWorld();
    const owner = await world.api();
    const url = world.embeddedUrl();
    const replica = await world.api({ databaseUrl: url });
    const doomed = world.worker({ name: "doomed", types: ["echo"], databaseUrl: url });
    const steady = world.worker({ name: "steady", types: ["echo"], databaseUrl: url });
    await Promise.all([doomed, steady].map((worker) => worker.says("registered")));
    await createClient(WorkflowService, owner.transport()).applyWorkflow({ source });

    const client = createClient(RunService, owner.transport());
    const input = (n: number) => ({ n, list: Array.from({ length: items }, (_, item) => item) });
    const start = (n: number) =>
      insist(() =>
        client.startRun({ workflow: "survivor", input: input(n), idempotencyKey: `n-${n}` }, { timeoutMs: 2_000 }),
      );
    await using ledger = openLedger(url);
    const ended = async () => {
      const [row] = await insist(
        () => ledger.sql`
        select count(*)::integer as count from drover.run_final f
          join drover.workflow_run w on w.id = f.run_id where w.parent_run_id is null`,
      );
      return Number(row?.["count"] ?? 0);
    };
    const reach = (share: number) =>
      expect.poll(ended, { timeout: 40_000, interval: 50 }).toBeGreaterThanOrEqual(runs * share);

    const starting = (async () => {
      for (let n = 0; n < runs; n += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, m) => start(n + m)));
      }
    })();
    await reach(0.05);
    await replica.process.end("SIGKILL");
    await reach(0.2);
    await replica.start();
    await doomed.end("SIGKILL");
    await reach(0.35);
    await owner.process.end("SIGKILL");
    await reach(0.4);
    await owner.start();
    const back = owner.process.says("PostgreSQL is back", { since: owner.process.lines.length });
    killPostgres(world.dataDir);
    await back;
    await starting;
    await reach(1);

    await expect
      .poll(
        async () => {
          const [row] = await insist(
            () => ledger.sql`
            select (select count(*)::integer from drover.run_open) as open,
                   (select count(*)::integer from drover.run_signal) as signals,
                   (select count(*)::integer from drover.run_final where state <> 'completed') as unwell,
                   (select count(*)::integer from drover.workflow_run) as runs`,
          );
          return row;
        },
        { timeout: 10_000 },
      )
      .toEqual({ open: 0, signals: 0, unwell: 0, runs: runs * 2 });
    const [tasks] = await ledger.sql`
      select count(*)::integer as tasks, count(distinct (run_id, step_number, step_item))::integer as units
        from drover.task where run_id is not null`;
    const expected = runs * (1 + items + 2 + 1);
    expect(tasks).toEqual({ tasks: expected, units: expected });
    const outputs = await ledger.sql<{ good: number }[]>`
      select count(*)::integer as good from drover.run_final f join drover.workflow_run w on w.id = f.run_id
       where w.parent_run_id is null and (f.output ->> 'n')::integer = (w.input ->> 'n')::integer
         and (f.output -> 'many')::jsonb = '[0,1,2,3,4]'::jsonb`;
    expect(outputs[0]?.good).toBe(runs);
    expect(await ledger.faults()).toEqual([]);
  }, 90_000);
});
