import { createLog } from "@drover/daemon/log";
import type { Database, Executor } from "@drover/db/client";
import { createDirectory } from "@drover/db/query/directory";
import { createWakeups } from "@drover/db/listen";
import { complete } from "@drover/db/node/settle";
import { createWaker } from "@drover/db/wake";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openTestFleet, type TestFleet } from "../operation/place/testing.ts";
import { createPlaceLoop } from "./place.ts";

let house: TestFleet;
beforeAll(async () => {
  house = await openTestFleet();
});
beforeEach(() => house.clear());
afterAll(() => house.close());

async function setup(idleMs = 3_600_000) {
  const counts = { statements: 0, transactions: 0 };
  const { db } = house.queue;
  const counting: Database = {
    ...db,
    run: <Row>(...args: Parameters<Executor["run"]>) => ((counts.statements += 1), db.run<Row>(...args)),
    transaction: (work) => ((counts.transactions += 1), db.transaction(work)),
  };
  const wakeups = createWakeups({ url: house.queue.url });
  await wakeups.start();
  const waker = createWaker({ db });
  const deps = { db: counting, directory: createDirectory({ db }), waker };
  const log = createLog({ app: "test", level: "silent" });
  const loop = createPlaceLoop({ deps, log, wakeups, isListening: true, idleMs });
  await loop.start();
  await expect.poll(() => counts.statements).toBeGreaterThan(0);
  return {
    counts,
    waker,
    async stop() {
      await loop.stop(AbortSignal.timeout(5000));
      await wakeups.stop();
    },
  };
}

describe("createPlaceLoop", () => {
  it("places on a hint, and again when a task that was placed has ended", async () => {
    const node = await house.node("a", 1);
    // Without hints it would not look again for an hour.
    const { waker, stop } = await setup();
    const [first, second] = [await house.task(), await house.task()];
    waker.wake("place");
    await expect.poll(async () => [...(await house.placements()).keys()]).toEqual([first]);
    const [claim] = await house.claim(node);
    await complete(house.queue.db, node, [{ taskKey: first, fence: claim?.fence ?? "", result: "1" }]);
    await expect.poll(async () => [...(await house.placements()).keys()]).toEqual([second]);
    await stop();
  });

  it("looks with one statement a period while there is nothing to place", async () => {
    const { counts, stop } = await setup(20);
    const before = { ...counts };
    await expect.poll(() => counts.statements).toBeGreaterThan(before.statements + 5);
    expect(counts.transactions).toBe(before.transactions);
    await house.node("a", 1);
    await house.task();
    await expect.poll(async () => (await house.placements()).size).toBe(1);
    await stop();
  });
});
