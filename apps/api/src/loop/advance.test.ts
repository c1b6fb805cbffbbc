import { createLog } from "@drover/daemon/log";
import { createWakeups } from "@drover/db/listen";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAdvanceLoop } from "./advance.ts";
import { createDefinitionCache } from "../operation/definition-cache.ts";
import { openTestRuns, type TestRuns, workerStep } from "../operation/testing-run.ts";

let house: TestRuns;
beforeAll(async () => {
  house = await openTestRuns();
});
afterAll(() => house.queue.close());

async function setup() {
  const wakeups = createWakeups({ url: house.queue.url });
  const hints: string[] = [];
  wakeups.subscribe((hint) => hints.push(hint));
  await wakeups.start();
  const batches: number[] = [];
  const loop = createAdvanceLoop({
    deps: house.deps,
    wakeups,
    definitions: createDefinitionCache(),
    isListening: true,
    maxRuns: 5,
    log: createLog({ app: "test", level: "silent" }),
    onAdvanced: (runs) => batches.push(runs),
  });
  return {
    loop,
    hints,
    batches,
    async stop() {
      await loop.stop(AbortSignal.timeout(5000));
      await wakeups.stop();
    },
  };
}

describe("createAdvanceLoop", () => {
  it("advances more runs than one transaction takes, each once", async () => {
    const definition = {
      name: "many",
      steps: [workerStep("first"), workerStep("then", { needs: [{ from: "first" }] })],
    };
    for (let run = 0; run < 32; run++) await house.start(definition);
    const { loop, batches, stop } = await setup();
    await loop.start();
    const claimed: string[] = [];
    const claimAll = async () => {
      const claims = await house.claim();
      claimed.push(...claims.map((one) => one.task_id));
      await house.finish(claims);
      return claimed.length;
    };
    await expect.poll(claimAll, { timeout: 5000 }).toBe(64);
    const states = () => house.queue.count("run_final");
    await expect.poll(states, { timeout: 5000 }).toBe(32);
    expect(new Set(claimed).size).toBe(64);
    expect(Math.max(...batches)).toBe(5);
    await stop();
  });

  it("hints at the class of the next step when that can be claimed", async () => {
    const { loop, hints, stop } = await setup();
    await house.start({
      name: "hinted",
      steps: [workerStep("a", { class: "gpu" }), workerStep("b", { class: "gpu", needs: [{ from: "a" }] })],
    });
    await loop.start();
    await expect.poll(() => hints, { timeout: 5000 }).toContain("class:gpu");
    // With the commit: whoever hears it finds the step.
    const first = await house.claim();
    expect(first.map((one) => one.type)).toEqual(["a"]);
    hints.length = 0;
    await house.finish(first);
    await expect.poll(() => hints, { timeout: 5000 }).toContain("class:gpu");
    const second = await house.claim();
    expect(second.map((one) => one.type)).toEqual(["b"]);
    await house.finish(second);
    await stop();
  });
});
