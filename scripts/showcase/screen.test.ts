import { describe, expect, it } from "vitest";
import { tallyOf } from "./follow.ts";
import { createScreen } from "./screen.ts";

function setup({ isTTY = false } = {}) {
  let text = "";
  let nowMs = 0;
  const stdout = { isTTY, columns: 60, write: (part: string) => (text += part) };
  const screen = createScreen({ stdout, isColored: false, now: () => nowMs });
  return { screen, text: () => text, wait: (ms: number) => void (nowMs += ms) };
}

const tally = { total: 40, done: 10, running: 4, pending: 26, holders: ["n1"] };

describe("the screen", () => {
  it("writes plain lines where nobody watches, at most one a second", () => {
    const { screen, text, wait } = setup();
    screen.progress(tally);
    screen.progress({ ...tally, done: 11 });
    wait(1000);
    screen.progress({ ...tally, done: 12 });
    expect(text()).toBe("  10 of 40 done, 4 running on n1, 26 pending\n  12 of 40 done, 4 running on n1, 26 pending\n");
  });

  it("replaces one line on a terminal, no wider than it, and removes it before the next result", () => {
    const { screen, text } = setup({ isTTY: true });
    screen.progress(tally);
    const shown = text().replace("\r\u001B[2K", "");
    expect(shown.length).toBeLessThan(60);
    expect(shown).toContain("[#####---------------]  10 of 40 done");
    screen.line("done");
    expect(text().endsWith("\r\u001B[2K  done\n")).toBe(true);
  });
});

describe("tallyOf", () => {
  it("counts what waits as pending and names who runs", () => {
    const states = ["PENDING", "WAITING", "RUNNING", "RUNNING", "COMPLETED"] as const;
    const tasks = states.map((state, index) => ({
      id: `${index}`,
      state: `TASK_STATE_${state}` as const,
      holder: index > 1 ? "n1" : "",
    }));
    expect(tallyOf(tasks)).toEqual({ total: 5, done: 1, running: 2, pending: 2, holders: ["n1"] });
  });
});
