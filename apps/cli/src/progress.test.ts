import { describe, expect, it } from "vitest";
import { createProgress, groupDigits, renderProgress } from "./progress.ts";

function setup({ isShown = true, columns = 80 } = {}) {
  const written: string[] = [];
  let ms = 0;
  const terminal = { write: (text: string) => written.push(text), columns };
  const progress = createProgress({ terminal, title: "Running", total: 10, isShown, now: () => ms });
  return { written, progress, advance: (by: number) => (ms += by) };
}

describe("a progress bar", () => {
  it("shows share, count, time and a remark on one line", () => {
    const { written, progress, advance } = setup();
    advance(2000);
    progress.update(5, "1 failed");
    expect(written).toEqual(["\r\u001B[2KRunning  [############------------]  50 %  5 of 10  2.0s  1 failed"]);
  });

  it("draws at most twelve times a second, but always the end", () => {
    const { written, progress, advance } = setup();
    progress.update(1);
    progress.update(2);
    advance(50);
    progress.update(3);
    expect(written).toHaveLength(1);
    progress.update(10);
    expect(written.at(-1)).toContain("100 %  10 of 10");
  });

  it("leaves no trace, and writes nothing where nobody looks", () => {
    const shown = setup();
    shown.progress.update(1);
    shown.progress.clear();
    shown.progress.clear();
    expect(shown.written.slice(1)).toEqual(["\r\u001B[2K"]);
    const hidden = setup({ isShown: false });
    hidden.progress.update(1);
    hidden.progress.clear();
    expect(hidden.written).toEqual([]);
  });

  it("keeps to the width of the terminal", () => {
    const { written, progress } = setup({ columns: 20 });
    progress.update(1);
    expect(written[0]?.replace("\r\u001B[2K", "")).toBe("Running  [##------…");
  });

  it("counts where no end is known", () => {
    expect(renderProgress(1234, undefined)).toBe("1,234");
    expect(renderProgress(0, 0)).toBe("0");
    expect(groupDigits(1_234_567n)).toBe("1,234,567");
  });
});
