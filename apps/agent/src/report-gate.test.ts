import { describe, expect, it } from "vitest";
import { createReportGate } from "./report-gate.ts";

function setup() {
  const life = { isLeased: true, epoch: "1", isOver: false };
  const gate = createReportGate({
    isLeased: () => life.isLeased,
    epoch: () => life.epoch,
    isOver: () => life.isOver,
  });
  const report = (answer: string, during = () => {}) =>
    gate(
      async () => {
        during();
        return answer;
      },
      (said) => said === "stale",
    );
  return { life, report };
}

describe("the gate of reports", () => {
  it("lets a report through while the lease is held, and believes a refusal", async () => {
    const { report } = setup();
    expect(await report("taken")).toBe("taken");
    expect(await report("stale")).toBe("stale");
  });

  it("keeps reports back without a lease", async () => {
    const { life, report } = setup();
    life.isLeased = false;
    await expect(report("taken")).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("has a report repeated that was refused while the node was registered anew", async () => {
    const { life, report } = setup();
    const anew = report("stale", () => void (life.epoch = "2"));
    await expect(anew).rejects.toMatchObject({ reason: "unavailable" });
    const lost = report("stale", () => void (life.isLeased = false));
    await expect(lost).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("takes no refusal back once another process has the node's name", async () => {
    const { life, report } = setup();
    Object.assign(life, { isLeased: false, isOver: true });
    expect(await report("stale")).toBe("stale");
  });
});
