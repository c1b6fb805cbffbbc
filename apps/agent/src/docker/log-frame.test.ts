import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogRecord } from "./log-frame.ts";
import { createFrameReader, sinceOf } from "./log-frame.ts";

const stamp = "2026-11-21T07:58:40.296824663Z";

function frame(stream: 1 | 2, text: string): Buffer {
  const body = Buffer.from(`${stamp} ${text}`);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

describe("log frames", () => {
  it("are read the same however the connection cuts them", () => {
    const texts = ["one\n", "", "with space ü\n", "x".repeat(3000)];
    const whole = Buffer.concat(texts.map((text, index) => frame(index % 2 === 0 ? 1 : 2, text)));
    fc.assert(
      fc.property(fc.array(fc.nat({ max: whole.length }), { maxLength: 10 }), (cuts) => {
        const records: LogRecord[] = [];
        const read = createFrameReader((record) => void records.push({ ...record, bytes: Buffer.from(record.bytes) }));
        const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        for (const [index, place] of places.entries()) read(whole.subarray(places[index - 1] ?? 0, place));
        expect(records.map(({ bytes }) => bytes.toString())).toEqual(texts);
        expect(records.map(({ stream }) => stream)).toEqual(["stdout", "stderr", "stdout", "stderr"]);
        expect(records.every((record) => record.stamp === stamp)).toBe(true);
      }),
    );
  });

  it("are read again from a little before the last stamp", () => {
    expect(sinceOf(stamp)).toBe("1795247918");
  });
});
