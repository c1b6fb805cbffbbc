import { createClient } from "@connectrpc/connect";
import { TaskService } from "@drover/proto/drover/task";
import { describe, expect, it } from "vitest";
import { insist } from "./client.ts";
import { killPostgres } from "./crash.ts";
import { openLedger } from "./ledger.ts";
import { type Api, createWorld } from "./world.ts";

const clients = 8;
const perClient = 1250;
const total = clients * perClient;

describe("10,000 tasks while everything is killed in turn", () => {
  it("loses no acknowledged task and completes each exactly once", async () => {
    await using world = createWorld();
    const api = await world.api();
    const url = world.embeddedUrl();
    const sturdy = { types: ["echo"], databaseUrl: url };
    const doomed = world.worker({ ...sturdy, name: "doomed" });
    const reborn = world.worker({ ...sturdy, name: "reborn", prefetch: 100 });
    const remote = world.worker({ name: "remote", types: ["echo"], apiUrl: api.url });
    await Promise.all([doomed, reborn, remote].map((worker) => worker.says("registered")));

    const acks = createAcks();
    const submitting = Promise.all(Array.from({ length: clients }, (_, client) => submitAll(api, client, acks)));
    const backAgain = () => api.process.says("PostgreSQL is back", { since: api.process.lines.length });

    await acks.reach(0.1);
    await api.process.end("SIGKILL");
    await api.start();
    await acks.reach(0.25);
    await doomed.end("SIGKILL"); // for good: its leases have to run out
    await acks.reach(0.4);
    let back = backAgain();
    killPostgres(world.dataDir);
    await back;
    await acks.reach(0.55);
    await reborn.end("SIGKILL");
    const second = world.worker({ ...sturdy, name: "reborn" });
    await acks.reach(0.7);
    await api.process.end("SIGKILL");
    await api.start();
    await acks.reach(0.85);
    back = backAgain();
    killPostgres(world.dataDir);
    await back;
    await submitting;

    await using ledger = openLedger(url);
    await expect
      .poll(() => insist(() => ledger.counts()), { timeout: 30_000, interval: 200 })
      .toEqual({ task: total, ready: 0, waiting: 0, lease: 0, final: total, completed: total });
    expect(await ledger.faults()).toEqual([]);
    const [named] = await ledger.sql`select count(*)::integer as count from drover.task where name = any (${acks.ids})`;
    expect([acks.ids.length, named?.["count"]]).toEqual([total, total]);
    // Handlers may run more than once, and after these kills some did not run where they were first started.
    const runs = [doomed, reborn, second, remote].map(
      (worker) => worker.lines.filter((line) => line.text.startsWith("run ")).length,
    );
    expect(runs.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(total);
    expect(Math.min(...runs)).toBeGreaterThan(0);
  }, 60_000);
});

/** Submits this client's share in turns of one task and of batches, each repeated under the same ids until it is acknowledged. */
async function submitAll(api: Api, client: number, acks: ReturnType<typeof createAcks>): Promise<void> {
  const tasks = createClient(TaskService, api.transport());
  for (let first = 0, turn = 0; first < perClient; turn += 1) {
    const size = turn % 2 === 0 ? 1 : Math.min(40, perClient - first);
    const specs = Array.from({ length: size }, (_, n) => ({
      id: `client-${client}-${first + n}`,
      type: "echo",
      payload: { kind: { case: "numberValue" as const, value: first + n } },
    }));
    const [only] = specs;
    if (size === 1 && only !== undefined) {
      const { id } = await insist(() => tasks.submitTask({ task: only }, { timeoutMs: 2_000 }));
      acks.add([id]);
    } else {
      const { verdicts } = await insist(() => tasks.submitTasks({ tasks: specs }, { timeoutMs: 2_000 }));
      expect(verdicts.filter((verdict) => verdict.fault !== undefined)).toEqual([]);
      acks.add(verdicts.map((verdict) => verdict.id));
    }
    first += size;
  }
}

/** What was acknowledged so far; a share of it can be waited for. */
function createAcks() {
  const ids: string[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  return {
    ids,
    add(more: string[]) {
      ids.push(...more);
      for (const { resolve } of waiting.filter(({ count }) => ids.length >= count)) resolve();
      waiting = waiting.filter(({ count }) => ids.length < count);
    },
    reach: (share: number) =>
      new Promise<void>((resolve) => {
        if (ids.length >= share * total) resolve();
        else waiting.push({ count: share * total, resolve });
      }),
  };
}
