import { replicaLifecycle } from "@drover/domain/environment/lifecycle";
import { canMove, isFinal, type TaskState, taskLifecycle } from "@drover/domain/task";
import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leave } from "./node/register.ts";
import { complete, fail } from "./node/settle.ts";
import { claim } from "./node/sync.ts";
import { promote, sweep } from "./query/control.ts";
import { submit, submitFailed, submitNamed } from "./query/submit.ts";
import { cancelTask, redriveTask } from "./query/task.ts";
import { openTestQueue, type TestHolder, type TestQueue } from "./testing-queue.ts";

let house: TestQueue;
beforeAll(async () => {
  house = await openTestQueue();
});
afterAll(() => house.close());

const verbs = [
  "submit", "submit_delayed", "submit_named", "submit_refused", "claim", "claim", "complete", "complete_stale", "fail", "fail_final",
  "fail_stale", "release", "cancel", "cancel", "cancel_running", "redrive", "redrive", "lose", "leave", "promote", "sweep_lost", "sweep_late",
] as const; // prettier-ignore
type Verb = (typeof verbs)[number];
const step = fc.record({ verb: fc.constantFrom(...verbs), pick: fc.nat(1000) });

/** What the model knows of a world of its own: a queue, two workers, tasks. */
interface World {
  queueId: number;
  taskType: string;
  workers: TestHolder[];
  keys: string[];
  /** Claims that were handed out, current ones and those that became stale. */
  claims: { taskKey: string; fence: string; holder: TestHolder }[];
  named: number;
}

async function places(keys: string[]): Promise<Map<string, TaskState>> {
  const rows = await house.db.run<{ key: string; state: TaskState; places: number }>(sql`
    select t.id as key, s.state,
           (select count(*)::integer from (
              select from drover.task_ready r where r.task_id = t.id
              union all select from drover.task_waiting w where w.task_id = t.id
              union all select from drover.task_lease l where l.task_id = t.id
              union all select from drover.task_final f where f.task_id = t.id) found) as places
      from drover.task t join drover.task_state(${sql.param(keys)}::bigint[]) s on s.task_id = t.id`);
  expect(rows.filter((row) => row.places !== 1)).toEqual([]);
  return new Map(rows.map((row) => [row.key, row.state]));
}

async function eventsSince(id: string): Promise<{ newest: string; tasks: Set<string> }> {
  const rows = await house.db.run<{ id: string; task_ids: string[] }>(sql`
    select id, task_ids from drover.event where id > ${id}::bigint order by id`);
  return { newest: rows.at(-1)?.id ?? id, tasks: new Set(rows.flatMap((row) => row.task_ids)) };
}

/** Does one thing; whether it was meant to change nothing at all. */
async function act(world: World, verb: Verb, pick: number): Promise<"may change" | "changes nothing"> {
  const { db, context } = house;
  const { queueId } = world;
  const key = world.keys[pick % Math.max(1, world.keys.length)];
  const [first] = await currentClaims(world, pick);
  const retry = JSON.stringify({ maxAttempts: 2, baseDelayMs: 0 });
  switch (verb) {
    case "submit":
      world.keys.push(
        ...(await submit(db, context, [
          { queueId, retry },
          { queueId, retry, priority: 1 },
        ])),
      );
      return "may change";
    case "submit_delayed":
      world.keys.push(...(await submit(db, context, [{ queueId, retry, delayMs: pick % 2 === 0 ? 3_600_000 : 1 }])));
      return "may change";
    case "submit_named": {
      const name = `${world.taskType}-${world.named++ % 3}`;
      const [row] = await submitNamed(db, context, [{ queueId, retry, name, requestHash: Buffer.from("same") }]);
      if (row === undefined || row.verdict !== "created") return "changes nothing";
      world.keys.push(row.task_id);
      return "may change";
    }
    case "submit_refused": {
      const row = await submitFailed(db, context, {
        queueId,
        payload: "1",
        name: null,
        requestHash: Buffer.from("x"),
        error: "{}",
      });
      if (row !== undefined) world.keys.push(row.task_id);
      return "may change";
    }
    case "claim": {
      const holder = world.workers[pick % 2] as TestHolder;
      for (const one of await claim(db, holder, 1 + (pick % 3)))
        world.claims.push({ taskKey: one.task_id, fence: one.fence, holder });
      return "may change";
    }
    case "complete":
      if (first) expect(await complete(db, first.holder, [first])).toEqual([]);
      return "may change";
    case "fail":
    case "fail_final":
    case "release":
      if (first) {
        const errorClass = { fail: "error", fail_final: "invalid_execution", release: "released" }[verb];
        expect(await fail(db, first.holder, [{ ...first, class: errorClass, message: "test" }])).toEqual([]);
      }
      return "may change";
    case "complete_stale":
    case "fail_stale": {
      const current = new Set((await currentClaims(world, 0)).map((one) => one.fence));
      const stale = world.claims.filter((one) => !current.has(one.fence));
      for (const one of stale) {
        const answer =
          verb === "complete_stale"
            ? await complete(db, one.holder, [one])
            : await fail(db, one.holder, [{ ...one, class: "error", message: "stale" }]);
        expect(answer).toEqual([one.taskKey]);
      }
      return "changes nothing";
    }
    case "cancel":
      if (key !== undefined) await cancelTask(db, key, "test", "test");
      return "may change";
    case "cancel_running":
      if (first) {
        expect(await cancelTask(db, first.taskKey, "test", "test")).toMatchObject({ state: "running" });
        expect(await fail(db, first.holder, [{ ...first, class: "killed", message: "test" }])).toEqual([]);
      }
      return "may change";
    case "redrive":
      if (key !== undefined) await redriveTask(db, key, "test");
      return "may change";
    case "lose":
      if (first) {
        await db.run(sql`
          select drover.take_back(array[${first.taskKey}::bigint], array[${first.fence}::bigint], 'lease_expired', 'test')`);
      }
      return "may change";
    case "leave": {
      const n = pick % 2;
      const holder = world.workers[n] as TestHolder;
      await leave(db, holder.holderId, holder.epoch);
      world.workers[n] = await house.worker(`${world.taskType}-${n}`, { taskTypes: [world.taskType] });
      return "may change";
    }
    case "promote":
      await promote(db, 100);
      return "may change";
    case "sweep_lost": {
      const n = pick % 2;
      await db.run(
        sql`update drover.holder_lease set expires_at = now() - interval '1 hour' where holder_id = ${world.workers[n]?.holderId ?? 0}`,
      );
      await sweep(db, new Date(0));
      world.workers[n] = await house.worker(`${world.taskType}-${n}`, { taskTypes: [world.taskType] });
      return "may change";
    }
    case "sweep_late":
      if (first)
        await db.run(
          sql`update drover.task_lease set deadline_at = now() - interval '1 hour' where task_id = ${first.taskKey}`,
        );
      await sweep(db, new Date(0));
      return "may change";
  }
}

/** The claims that hold at the moment, one of them first. */
async function currentClaims(world: World, pick: number): Promise<World["claims"]> {
  const rows = await house.db.run<{ fence: string }>(
    sql`select fence from drover.task_lease where queue_id = ${world.queueId} order by fence`,
  );
  const fences = new Set(rows.map((row) => row.fence));
  // A holder that left and came back has a new epoch; its older life may not settle any more.
  const found = world.claims
    .filter((one) => fences.has(one.fence))
    .filter((one) =>
      world.workers.some((worker) => worker.holderId === one.holder.holderId && worker.epoch === one.holder.epoch),
    );
  return [...found.slice(pick % Math.max(1, found.length)), ...found.slice(0, pick % Math.max(1, found.length))];
}

describe("the life of a task in the database", () => {
  it("follows the domain's table: one place at a time, allowed moves only, an event for each, nothing by stale fences", async () => {
    let worlds = 0;
    const moves = new Set<string>();
    await house.db.run(sql`update drover.control set resumed_at = now() - interval '1 hour'`);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), async (steps) => {
        const taskType = `world-${++worlds}`;
        const world: World = {
          queueId: await house.queue({ taskType }),
          taskType,
          workers: [
            await house.worker(`${taskType}-0`, { taskTypes: [taskType] }),
            await house.worker(`${taskType}-1`, { taskTypes: [taskType] }),
          ],
          keys: [],
          claims: [],
          named: 0,
        };
        let before = new Map<string, TaskState>();
        let { newest } = await eventsSince("0");
        for (const { verb, pick } of steps) {
          const effect = await act(world, verb, pick);
          const after = await places(world.keys);
          expect(after.size).toBe(world.keys.length);
          const events = await eventsSince(newest);
          newest = events.newest;
          for (const [key, to] of after) {
            const from = before.get(key) ?? null;
            if (from === to) continue;
            expect(effect, `${verb} moved ${key} from ${from} to ${to}`).toBe("may change");
            moves.add(`${from} ${to}`);
            expect(isAllowed(from, to), `${verb} moved from ${from} to ${to}`).toBe(true);
            // Nobody needs to be told that a task's time has come: `until_at` said so before.
            if (!(from === "waiting" && to === "pending"))
              expect(events.tasks.has(key), `${verb} told nobody of ${key}`).toBe(true);
          }
          if (effect === "changes nothing") expect(events.tasks).toEqual(new Set());
          before = after;
        }
      }),
      { numRuns: 50 },
    );
    // The runs together have seen every move of the table, or the property proves less than it says.
    const known = new Set(taskLifecycle.transitions.map((move) => `${move.from} ${move.to}`));
    expect([...known].filter((move) => !moves.has(move))).toEqual([]);
  });
});

/** One verb may move a task twice: a sweep promotes, a claim promotes and takes. */
function isAllowed(from: TaskState | null, to: TaskState): boolean {
  return canMove(from, to) || (from === "waiting" && canMove("waiting", "pending") && canMove("pending", to));
}

describe("the CHECK constraints", () => {
  it.each([
    ["task_final_state_is_final", Object.keys(taskLifecycle.states).filter((state) => isFinal(state as TaskState))],
    ["task_waiting_reason_is_known", ["delayed", "retrying", "rate_limited", "blocked"]],
    ["queue_executor_is_known", ["docker", "process", "llm", "worker"]],
    ["holder_kind_is_known", ["node", "worker"]],
    ["holder_state_is_known", ["ready", "draining", "lost"]],
    ["task_attempt_outcome_is_known", ["failed", "lost", "released"]],
    ["task_key_kind_is_known", ["id", "idempotency"]],
    ["replica_status_state_is_known", Object.keys(replicaLifecycle.states)],
    ["replica_wanted_is_known", ["running", "stopped", "gone"]],
  ])("%s allows what the domain knows", async (name, expected) => {
    const [row] = await house.db.run<{ definition: string }>(sql`
      select pg_get_constraintdef(c.oid) as definition
        from pg_constraint c join pg_class t on t.oid = c.conrelid
       where c.conname = ${name} and not t.relispartition`);
    const words = [...(row?.definition ?? "").matchAll(/'([a-z_]+)'/g)].map((match) => match[1] ?? "");
    expect(words.toSorted()).toEqual(expected.toSorted());
  });
});
