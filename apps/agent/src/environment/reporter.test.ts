import { describe, expect, it, onTestFinished } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createManualClock } from "@drover/daemon/testing";
import type { ReplicaReport } from "@drover/db/node/replica";
import { createReporter } from "./reporter.ts";

function setup() {
  const clock = createManualClock();
  const sent: string[][] = [];
  let answer: boolean | Error = true;
  const reporter = createReporter({
    async send(reports) {
      sent.push(reports.map(({ replicaId, state }) => `${replicaId} ${state}`));
      if (answer instanceof Error) throw answer;
      return answer;
    },
    log: createLog({ app: "test", level: "silent" }),
    clock,
  });
  onTestFinished(() => reporter.stop());
  return { clock, sent, reporter, answers: (next: boolean | Error) => void (answer = next) };
}

const report = (replicaId: string, state: ReplicaReport["state"]): ReplicaReport => ({ replicaId, state });

describe("reports of replicas", () => {
  it("wait for a registration, and then leave in one batch with what changed meanwhile", async () => {
    const { clock, sent, reporter } = setup();
    reporter.put([report("1", "starting")]);
    await clock.advance(1000);
    expect(sent).toEqual([]);
    reporter.registered();
    await clock.advance(10);
    reporter.put([report("1", "running"), report("2", "starting")]);
    await clock.advance(10);
    expect(sent).toEqual([["1 running", "2 starting"]]);
  });

  it("tell only what changed, and everything again every minute and after each registration", async () => {
    const { clock, sent, reporter } = setup();
    reporter.registered();
    reporter.put([report("1", "running"), report("2", "running")]);
    await clock.advance(20);
    reporter.put([report("1", "running"), report("2", "failed")]);
    await clock.advance(20);
    reporter.put([report("1", "running"), report("2", "failed")]);
    await clock.advance(50_000);
    expect(sent).toEqual([["1 running", "2 running"], ["2 failed"]]);
    await clock.advance(10_000);
    expect(sent.slice(2)).toEqual([["1 running", "2 failed"]]);
    reporter.registered();
    await clock.advance(20);
    expect(sent).toHaveLength(4);
  });

  it("are repeated until they are heard, with what is so by then", async () => {
    const { clock, sent, reporter, answers } = setup();
    reporter.registered();
    answers(new Error("no database"));
    reporter.put([report("1", "starting")]);
    await clock.advance(2000);
    expect(sent.length).toBeGreaterThan(2);
    const tries = sent.length;
    answers(true);
    reporter.put([report("1", "running")]);
    await clock.advance(6000);
    expect(sent.slice(tries)).toEqual([["1 running"]]);
  });

  it("wait for the next registration where a newer life has taken over", async () => {
    const { clock, sent, reporter, answers } = setup();
    reporter.registered();
    answers(false);
    reporter.put([report("1", "running")]);
    await clock.advance(30_000);
    expect(sent).toHaveLength(1);
    answers(true);
    reporter.registered();
    await clock.advance(20);
    expect(sent).toHaveLength(2);
  });

  it("forget replicas that are not told of any more", async () => {
    const { clock, sent, reporter } = setup();
    reporter.registered();
    reporter.put([report("1", "gone")]);
    await clock.advance(20);
    reporter.put([]);
    await clock.advance(100_000);
    expect(sent).toEqual([["1 gone"]]);
  });
});
