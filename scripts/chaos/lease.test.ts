import { createTestDatabase } from "@drover/db/testing";
import { describe, expect, it } from "vitest";
import { openLedger } from "./ledger.ts";
import { createWorld } from "./world.ts";

describe("a lease", () => {
  it("is kept by a worker that waits for tasks, over RPC and straight to Postgres", async () => {
    await using world = createWorld();
    const database = await createTestDatabase();
    world.defer(database.drop);
    const api = await world.api({ databaseUrl: database.url });
    await using ledger = openLedger(database.url);
    const remote = world.worker({ name: "remote", types: ["echo"], apiUrl: api.url });
    const direct = world.worker({ name: "direct", types: ["echo"], databaseUrl: database.url });
    await Promise.all([remote, direct].map((worker) => worker.says("registered")));
    // How far the leases reach beyond the moment of their registration: more than two whole ones.
    const reach = async () => {
      const [row] = await ledger.sql`
        select extract(epoch from min(l.expires_at - e.at))::integer as seconds
          from drover.holder_lease l
          join drover.event e on e.kind = 'worker.registered' and e.actor = 'holder:' || l.holder_id`;
      return Number(row?.["seconds"]);
    };
    await expect.poll(reach, { timeout: 15_000 }).toBeGreaterThanOrEqual(8);
    for (const worker of [remote, direct])
      expect(worker.lines.filter((line) => line.text.includes("lease lost"))).toEqual([]);
  }, 40_000);
});
