import fc from "fast-check";
import { expect, it } from "vitest";
import { createLogLineReader, type LogLine } from "./log-line.ts";

interface Written {
  stream: 1 | 2;
  stamp: string;
  text: string;
}

function framesOf(records: readonly Written[]): Buffer {
  return Buffer.concat(
    records.map(({ stream, stamp, text }) => {
      const body = Buffer.from(`${stamp} ${text}`);
      const header = Buffer.alloc(8);
      header[0] = stream;
      header.writeUInt32BE(body.length, 4);
      return Buffer.concat([header, body]);
    }),
  );
}

const stampOf = (nanos: number) => `2026-11-21T07:58:40.${String(nanos).padStart(9, "0")}Z`;
// Stamps grow, and several records may share one.
const anyLog = fc
  .array(fc.record({ stream: fc.constantFrom(1 as const, 2 as const), step: fc.nat(2), text: fc.string() }), {
    maxLength: 30,
  })
  .map((records) => {
    let nanos = 0;
    return records.map(({ stream, step, text }): Written => {
      nanos += step;
      return { stream, stamp: stampOf(nanos), text: `${text.replaceAll(/[\r\n]/g, "_")}\n` };
    });
  });

it("gives each line once over readings that break off and begin again", () => {
  fc.assert(
    fc.property(anyLog, fc.array(fc.nat(30), { maxLength: 4 }), (log, breaks) => {
      const reader = createLogLineReader();
      const lines: LogLine[] = [];
      for (const until of [...breaks.toSorted((a, b) => a - b), log.length]) {
        reader.begin();
        lines.push(...reader.read(framesOf(log.slice(0, until))));
      }
      expect(lines).toEqual(
        log.map(({ stream, stamp, text }) => ({
          stream: stream === 1 ? "stdout" : "stderr",
          stamp,
          message: text.slice(0, -1),
        })),
      );
    }),
  );
});

it("joins what the engine cut, and cuts what has no end", () => {
  const reader = createLogLineReader();
  reader.begin();
  const piece = "ä".repeat(8000);
  const read = reader.read(
    framesOf([
      { stream: 1, stamp: stampOf(1), text: piece },
      { stream: 2, stamp: stampOf(2), text: "between\r\n" },
      { stream: 1, stamp: stampOf(3), text: "end\n" },
      { stream: 1, stamp: stampOf(4), text: "open" },
    ]),
  );
  expect(read).toEqual([
    { stream: "stderr", stamp: stampOf(2), message: "between" },
    { stream: "stdout", stamp: stampOf(1), message: `${piece}end` },
  ]);
  expect(reader.end()).toEqual([{ stream: "stdout", stamp: stampOf(4), message: "open" }]);
  const endless = Array.from({ length: 5 }, (_, n) => ({ stream: 1 as const, stamp: stampOf(10 + n), text: piece }));
  expect(reader.read(framesOf(endless))).toHaveLength(1);
});
