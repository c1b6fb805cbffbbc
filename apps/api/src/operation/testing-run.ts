import { claim } from "@drover/db/node/sync";
import { complete, fail } from "@drover/db/node/settle";
import type { WorkerClaim } from "@drover/db/node/sync";
import { createDirectory } from "@drover/db/query/directory";
import { saveVersion } from "@drover/db/query/workflow";
import { openTestQueue, type TestHolder, type TestQueue } from "@drover/db/testing-queue";
import { silentWaker } from "@drover/db/wake";
import type { Json } from "@drover/domain/json";
import type { Definition, Step } from "@drover/domain/workflow/definition";
import { sql } from "drizzle-orm";
import { createAdvanceRuns } from "./advance-runs.ts";
import { createDefinitionCache } from "./definition-cache.ts";
import { startRun } from "./start-run.ts";
import type { Deps } from "./context.ts";

/** A queue with workflows: what tests of runs do again and again, without a server. */
export interface TestRuns {
  queue: TestQueue;
  deps: Deps;
  worker: TestHolder;
  /** Advances until nothing is left to do; how many rounds it took. */
  settle(): Promise<number>;
  /** Saves a workflow and starts a run of it; the run's key. */
  start(definition: Omit<Definition, "name"> & { name?: string }, input?: Json): Promise<string>;
  claim(limit?: number): Promise<WorkerClaim[]>;
  finish(claims: WorkerClaim[], resultOf?: (one: WorkerClaim) => Json): Promise<void>;
  fail(claims: WorkerClaim[], errorClass?: string): Promise<void>;
  state(runId: string): Promise<{ state: string; output: Json; error: { class: string; message: string } | null }>;
  steps(runId: string): Promise<string[]>;
}

/** A step that a worker runs, by its id as the task's type. */
export function workerStep(id: string, rest: Partial<Step> = {}): Step {
  return { id, work: { kind: "task", type: id }, retry: { maxAttempts: 1 }, ...rest };
}

/** Opens it on a database of its own. */
export async function openTestRuns({ maxNestedRuns }: { maxNestedRuns?: number } = {}): Promise<TestRuns> {
  const queue = await openTestQueue();
  const { db } = queue;
  const deps: Deps = { db, directory: createDirectory({ db, classSeconds: 0 }), waker: silentWaker };
  const worker = await queue.worker("w");
  const advanceRuns = createAdvanceRuns({
    deps,
    definitions: createDefinitionCache(),
    ...(maxNestedRuns !== undefined && { maxNestedRuns }),
    onFault: (error) => {
      throw error;
    },
  });
  const caller = { namespace: "default", actor: "test" };
  let names = 0;
  return {
    queue,
    deps,
    worker,
    async settle() {
      for (let rounds = 0; ; rounds += 1) {
        const { runs, hasMore } = await advanceRuns();
        if (runs === 0 && !hasMore) return rounds;
      }
    },
    async start({ name = `w${(names += 1)}`, ...rest }, input = {}) {
      const definition: Definition = { name, ...rest };
      return db.transaction(async (tx) => {
        const { namespaceId } = queue.context;
        await saveVersion(tx, { namespaceId, name, format: "drover", source: "", definition, actor: "test" });
        return (await startRun(deps, tx, caller, { workflow: name, input })).runId;
      });
    },
    claim: (limit = 100) => claim(db, worker, limit),
    async finish(claims, resultOf = () => null) {
      const items = claims.map((one) => ({
        taskKey: one.task_id,
        fence: one.fence,
        result: JSON.stringify(resultOf(one)),
      }));
      await complete(db, worker, items);
    },
    async fail(claims, errorClass = "error") {
      await fail(
        db,
        worker,
        claims.map((one) => ({ taskKey: one.task_id, fence: one.fence, class: errorClass, message: "it broke" })),
      );
    },
    async state(runId) {
      const [row] = await db.run<{ state: string; output: Json; error: { class: string; message: string } | null }>(sql`
        select coalesce(f.state, case when o.started_at is null then 'pending' else 'running' end) as state, f.output, f.error
          from drover.workflow_run w
          left join drover.run_open o on o.run_id = w.id
          left join drover.run_final f on f.run_id = w.id
         where w.id = ${runId}`);
      if (row === undefined) throw new Error(`expected a run ${runId}`);
      return row;
    },
    async steps(runId) {
      const rows = await db.run<{ line: string }>(sql`
        select s.number || case when s.item >= 0 then '.' || s.item else '' end || ' ' || s.state as line
          from drover.step s where s.run_id = ${runId} order by s.number, s.item`);
      return rows.map((row) => row.line);
    },
  };
}
