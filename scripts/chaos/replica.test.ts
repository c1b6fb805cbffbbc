import { createClient } from "@connectrpc/connect";
import { TaskService, TaskState } from "@drover/proto/drover/task";
import { WorkerService } from "@drover/proto/drover/worker";
import { describe, expect, it } from "vitest";
import { setup } from "./setup.ts";
import { createWorld } from "./world.ts";

describe("several API replicas on one database", () => {
  it("answer every call alike, wake each other's claims, and sweep one at a time", async () => {
    await using world = createWorld();
    const { databaseUrl, api: one, ledger, tasks: tasksAtOne } = await setup(world);
    const [two, three] = await Promise.all([world.api({ databaseUrl }), world.api({ databaseUrl })]);
    const workersAtTwo = createClient(WorkerService, two.transport());
    const workersAtThree = createClient(WorkerService, three.transport());
    const tasksAtThree = createClient(TaskService, three.transport());

    // A claim that waits at one replica is woken by a submit at another, long before it would look by itself.
    const { session } = await workersAtTwo.registerWorker({ name: "nomad", types: ["echo"] });
    const waits: number[] = [];
    const claims: { key: bigint; fence: bigint; id: string }[] = [];
    for (const round of [1, 2, 3, 4, 5]) {
      const claiming = workersAtTwo.claimTasks({ session, maxTasks: 1, wait: { seconds: 10n } });
      await expect.poll(() => isWaiting(ledger)).toBe(true);
      const at = performance.now();
      await tasksAtOne.submitTask({ task: { id: `woken-${round}`, type: "echo" } });
      const [claim] = (await claiming).tasks;
      waits.push(performance.now() - at);
      if (claim !== undefined) claims.push(claim);
    }
    expect(claims.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((round) => `woken-${round}`));
    // Without a hint a claim looks once a second: the median of five would be half of that.
    expect(waits.toSorted((a, b) => a - b)[2]).toBeLessThan(250);

    // What was claimed at the second replica is renewed, listed and completed at the third.
    await workersAtThree.renewLease({ session });
    expect((await workersAtThree.listHeldTasks({ session })).claims).toHaveLength(5);
    const watching = (async () => {
      const states: TaskState[] = [];
      for await (const { task } of tasksAtThree.watchTasks({ ids: ["woken-1"] }))
        if (task !== undefined) states.push(task.state);
      return states;
    })();
    await two.process.end("SIGKILL");
    expect((await workersAtThree.completeTasks({ session, completions: claims })).stale).toEqual([]);
    expect((await watching).at(-1)).toBe(TaskState.COMPLETED);
    expect((await tasksAtOne.getTask({ id: "woken-5" })).task?.state).toBe(TaskState.COMPLETED);

    // The session falls silent: its lease runs out once, whoever sweeps.
    await tasksAtOne.submitTask({ task: { id: "left", type: "echo" } });
    expect((await workersAtThree.claimTasks({ session, maxTasks: 1 })).tasks).toHaveLength(1);
    await expect
      .poll(async () => (await tasksAtThree.getTask({ id: "left" })).task?.state, { timeout: 15_000 })
      .toBe(TaskState.PENDING);
    const lost = await ledger.sql`select from drover.event where kind = 'worker.lost'`;
    expect(lost).toHaveLength(1);
    expect(await ledger.attempts("left")).toMatchObject([{ outcome: "lost", class: "lease_expired" }]);
    const reports = [one, three].flatMap(({ process }) =>
      process.lines.filter((line) => line.fields["message"] === "took back what silent holders held"),
    );
    expect(reports.map((line) => line.fields["taken"])).toEqual([1]);
    expect(await ledger.faults()).toEqual([]);
  }, 60_000);

  it("work by polling alone where hints are switched off everywhere", async () => {
    await using world = createWorld();
    const { databaseUrl, api, ledger, tasks } = await setup(world, { env: { DROVER_NOTIFY: "false" } });
    const other = await world.api({ databaseUrl, env: { DROVER_NOTIFY: "false" } });
    const direct = world.worker({ name: "direct", types: ["echo"], databaseUrl, notify: false });
    const remote = world.worker({ name: "remote", types: ["echo"], apiUrl: other.url });
    await Promise.all([direct.says("registered"), remote.says("registered")]);
    const listeners =
      await ledger.sql`select from pg_stat_activity where datname = current_database() and application_name = 'drover-listen'`;
    expect(listeners).toHaveLength(0);
    const ids = Array.from({ length: 60 }, (_, n) => `polled-${n}`);
    // Submitted apart, so that both workers find some.
    await tasks.submitTasks({ tasks: [...ids.slice(0, 20), "polled-59"].map((id) => ({ id, type: "echo" })) });
    await tasks.submitTask({ task: { id: "delayed", type: "echo", delay: { seconds: 1n } } });
    const watching = (async () => {
      for await (const _ of createClient(TaskService, other.transport()).watchTasks({ ids: ["polled-59", "delayed"] }));
    })();
    await tasks.submitTasks({ tasks: ids.slice(20, 59).map((id) => ({ id, type: "echo" })) });
    await expect
      .poll(() => ledger.counts(), { timeout: 15_000 })
      .toMatchObject({ task: 61, completed: 61, ready: 0, lease: 0 });
    await watching;
    expect(await ledger.faults()).toEqual([]);
    expect(api.process.isAlive).toBe(true);
  }, 60_000);
});

/** Whether a claim has looked in vain and waits: nothing is ready, and its worker's last look is over. */
async function isWaiting(ledger: Awaited<ReturnType<typeof setup>>["ledger"]): Promise<boolean> {
  const [row] = await ledger.sql`
    select (select count(*) from drover.task_ready) = 0 as is_empty,
           (select count(*) from pg_stat_activity where application_name = 'drover-api' and state = 'active'
             and datname = current_database()) = 0 as is_idle`;
  return row?.["is_empty"] === true && row["is_idle"] === true;
}
