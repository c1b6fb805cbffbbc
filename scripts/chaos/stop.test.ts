import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@drover/proto/grpc/health/v1/health";
import { WorkerService } from "@drover/proto/drover/worker";
import { describe, expect, it } from "vitest";
import { setup } from "./setup.ts";
import { createWorld } from "./world.ts";

describe("an API that gets SIGTERM in the middle of calls", () => {
  it("says so to health first, finishes unary calls, ends streams as unavailable and exits in time with 0", async () => {
    await using world = createWorld();
    const { api, ledger, tasks } = await setup(world);
    await tasks.submitTask({ task: { id: "watched", type: "nobody" } });
    const workers = createClient(WorkerService, api.transport());
    const { session } = await workers.registerWorker({ name: "waiting", types: ["something"] });
    const order: string[] = [];
    const note = (what: string) => (error: unknown) => {
      order.push(what);
      return ConnectError.from(error).code;
    };

    const health = createClient(Health, api.transport());
    const statuses: Status[] = [];
    const watchingHealth = (async () => {
      for await (const { status } of health.watch({})) {
        statuses.push(status);
        if (status === Status.NOT_SERVING) order.push("not serving");
      }
    })().catch(note("health"));
    let seen = 0;
    const watching = (async () => {
      for await (const _ of tasks.watchTasks({ ids: ["watched"] })) seen += 1;
    })().catch(note("stream"));
    await expect.poll(() => [seen, statuses.length]).toEqual([1, 1]);
    // Two unary calls in flight: one that waits for tasks, one that waits for a lock.
    const claiming = workers.claimTasks({ session, maxTasks: 1, wait: { seconds: 2n } });
    const unlock = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const locking = ledger.sql.begin(async (tx) => {
      await tx`lock table drover.task in access exclusive mode`;
      locked.resolve();
      await unlock.promise;
    });
    await locked.promise;
    const submitting = tasks.submitTask({ task: { id: "in-flight", type: "nobody" } });
    const isBlocked = async () =>
      (
        await ledger.sql`select from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'drover-api'`
      ).length;
    await expect.poll(isBlocked).toBeGreaterThan(0);

    const at = performance.now();
    api.process.signal("SIGTERM");
    expect(await watchingHealth).toBe(Code.Unavailable);
    expect(await watching).toBe(Code.Unavailable);
    expect(order[0]).toBe("not serving");
    expect(api.process.isAlive).toBe(true);
    const refused = await tasks
      .submitTask({ task: { type: "nobody" } }, { timeoutMs: 1_000 })
      .catch((error: unknown) => ConnectError.from(error).code);
    expect(refused).toBe(Code.Unavailable);
    unlock.resolve();
    await locking;
    expect(await submitting).toMatchObject({ id: "in-flight", created: true });
    expect((await claiming).tasks).toEqual([]);
    expect(await api.process.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - at).toBeLessThan(10_000);
    expect(await ledger.counts()).toMatchObject({ task: 2, ready: 2 });
  }, 40_000);

  it("cuts off what is not done by its deadline, and says that it did", async () => {
    await using world = createWorld();
    const { api, ledger, tasks } = await setup(world, { env: { DROVER_STOP_SECONDS: "2s" } });
    const unlock = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const locking = ledger.sql.begin(async (tx) => {
      await tx`lock table drover.task in access exclusive mode`;
      locked.resolve();
      await unlock.promise;
    });
    await locked.promise;
    const submitting = tasks
      .submitTask({ task: { id: "stuck", type: "nobody" } })
      .catch((error: unknown) => ConnectError.from(error).code);
    const isBlocked = async () =>
      (
        await ledger.sql`select from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'drover-api'`
      ).length;
    await expect.poll(isBlocked).toBeGreaterThan(0);
    const at = performance.now();
    const ending = await api.process.end("SIGTERM");
    expect(performance.now() - at).toBeLessThan(8_000);
    expect(ending.signal).toBeNull();
    expect([Code.Unavailable, Code.Canceled, Code.Aborted, Code.Internal]).toContain(await submitting);
    await api.process.says("calls were cut off at the deadline");
    unlock.resolve();
    await locking;
  }, 40_000);
});

describe("an API with a file to read anew", () => {
  it("goes on when it is asked to while it starts", async () => {
    await using world = createWorld();
    const file = join(world.folder, "env-manager.toml");
    writeFileSync(file, "health_check_timeout_secs = 60\n");
    const api = await world.api({ env: { ENV_MANAGER_CONFIG: file } });
    await api.process.end("SIGTERM");
    const started = api.start();
    await api.process.says('"starting"');
    api.process.signal("SIGHUP");
    await started;
    expect(api.process.isAlive).toBe(true);
    expect((await fetch(`${api.url}/health`)).ok).toBe(true);
  }, 40_000);
});
