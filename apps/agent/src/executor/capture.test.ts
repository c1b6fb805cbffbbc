import { describe, expect, it } from "vitest";
import { createCapture } from "./capture.ts";
import { collectLogs } from "./testing.ts";

const at = new Date("2026-01-01T00:00:01Z");

function setup(since?: Date) {
  const logs = collectLogs();
  const capture = createCapture(logs, since === undefined ? {} : { since });
  const write = (text: string, stream: "stdout" | "stderr" = "stdout") => capture.write(stream, Buffer.from(text), at);
  return { logs, capture, write };
}

describe("capture", () => {
  it("keeps the last 4096 bytes whatever the size of the pieces", () => {
    for (const size of [1, 100, 5000, 40_000]) {
      const { capture, write } = setup();
      const text = "0123456789".repeat(4000);
      for (let from = 0; from < text.length; from += size) write(text.slice(from, from + size));
      expect(capture.finish().stdoutTail, `pieces of ${size}`).toBe(text.slice(-4096));
    }
  });

  it("begins a tail with a whole character and shows zero characters as replaced", () => {
    const { capture, write } = setup();
    write(`${"ü".repeat(3000)}a`);
    const { stdoutTail } = capture.finish();
    expect(stdoutTail).toMatch(/^ü+a$/);
    expect(Buffer.byteLength(stdoutTail)).toBe(4095);
    const zero = setup();
    zero.write("a\0b", "stderr");
    expect(zero.capture.finish().stderrTail).toBe("a\ufffdb");
  });

  it("joins characters that arrive in pieces and passes on an unfinished one at the end", () => {
    const { capture, logs } = setup();
    const bytes = Buffer.from("aü");
    capture.write("stdout", bytes.subarray(0, 2), at);
    expect(logs.text("stdout")).toBe("a");
    capture.write("stdout", bytes.subarray(2), at);
    capture.write("stdout", bytes.subarray(1, 2), at);
    capture.finish();
    expect(logs.text("stdout")).toBe("aü\ufffd");
  });

  it("reads the last marked line of stdout, in pieces and without an end of line", () => {
    const { capture, write } = setup();
    write('__DSPY_RESULT__:{"old":1}\nnoise __DSPY_RESULT__:2\n  __DSPY_RE');
    write('SULT__: {"new": [true]}');
    write('__DSPY_RESULT__:"not on stdout"\n', "stderr");
    expect(capture.finish().runnerOutput).toEqual({ new: [true] });
  });

  it.each([
    ["is not JSON", "__DSPY_RESULT__:{broken\n"],
    ["is too long", `__DSPY_RESULT__:"${"x".repeat(2_000_000)}"\n`],
    ["is not there", "hello\n"],
  ])("has no result where the marked line %s", (_, text) => {
    const { capture, write } = setup();
    for (let from = 0; from < text.length; from += 60_000) write(text.slice(from, from + 60_000));
    expect(capture.finish()).not.toHaveProperty("runnerOutput");
  });

  it("does not pass on what was shipped before, but counts it for tail and result", () => {
    const { capture, write, logs } = setup(new Date("2026-01-01T00:00:02Z"));
    write("__DSPY_RESULT__:1\n");
    capture.write("stdout", Buffer.from("later\n"), new Date("2026-01-01T00:00:03Z"));
    expect(capture.finish()).toEqual({ stdoutTail: "__DSPY_RESULT__:1\nlater\n", stderrTail: "", runnerOutput: 1 });
    expect(logs.text("stdout")).toBe("later\n");
  });
});
