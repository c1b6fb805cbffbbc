import { describe, expect, it } from "vitest";
import type { Run, RunOutcome } from "./executor.ts";
import { startAfter } from "./start-after.ts";
import { requestOf } from "./testing.ts";

function setup(others: Promise<unknown>[]) {
  const request = requestOf({});
  const outcome = Promise.withResolvers<RunOutcome>();
  const calls: string[] = [];
  const run = startAfter(others, request, (): Run => {
    calls.push("started");
    const stop = async (reason: string) => {
      calls.push(reason);
      return { gone: true };
    };
    return { taskKey: request.taskKey, fence: request.fence, outcome: outcome.promise, stop };
  });
  return { run, calls, outcome };
}

describe("a run whose GPUs others still hold", () => {
  it("starts at once where nobody does", () => {
    expect(setup([]).calls).toEqual(["started"]);
  });

  it("starts when all of them have ended, and is stopped as itself then", async () => {
    const [one, other] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { run, calls, outcome } = setup([one.promise, other.promise]);
    one.resolve();
    await one.promise;
    expect(calls).toEqual([]);
    other.resolve();
    await expect.poll(() => calls).toEqual(["started"]);
    await run.stop("cancelled");
    expect(calls).toEqual(["started", "cancelled"]);
    outcome.resolve({ state: "failed", errorClass: "cancelled", message: "" });
    expect(await run.outcome).toMatchObject({ errorClass: "cancelled" });
  });

  it("never starts where it is stopped before", async () => {
    const other = Promise.withResolvers<void>();
    const { run, calls } = setup([other.promise]);
    expect(await run.stop("drained")).toEqual({ gone: true });
    expect(await run.outcome).toMatchObject({ errorClass: "drained" });
    other.resolve();
    await other.promise;
    expect(calls).toEqual([]);
  });
});
