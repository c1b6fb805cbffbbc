import { describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import type { StoredLogLine } from "@drover/db/node/settle";
import { DroverError } from "@drover/domain/error";
import { createShippedLog } from "./log-shipper.ts";

function setup(
  options: { maxBytes?: number; chunkBytes?: number; failures?: number; isAway?: boolean; isHeld?: boolean } = {},
  firstChunk = 0,
) {
  const chunks: { chunk: number; lines: StoredLogLine[] }[] = [];
  let failures = options.failures ?? 0;
  const shipped = createShippedLog(
    { taskKey: "1", fence: "2" },
    {
      append: async (_, chunk, lines) => {
        if (failures-- > 0)
          throw options.isAway
            ? new DroverError("unavailable", "The database is away.")
            : new Error("The database refuses the chunk.");
        if (options.isHeld === false) return false;
        chunks.push({ chunk, lines });
        return true;
      },
      log: createLog({ app: "test", level: "silent" }),
      flushMs: 5,
      backoff: { baseMs: 1, capMs: 1 },
      ...options,
    },
    firstChunk,
  );
  return {
    shipped,
    chunks,
    texts: () => chunks.flatMap(({ lines }) => lines.map(([stream, , text]) => `${stream}: ${text}`)),
  };
}

const at = new Date(1000);

describe("shipped log", () => {
  it("cuts the stream into lines, and keeps the streams apart", async () => {
    const { shipped, texts } = setup();
    shipped.write("stdout", "one\ntw", at);
    shipped.write("stderr", "bad\n", at);
    shipped.write("stdout", "o\r\nthree", at);
    await shipped.end();
    expect(texts()).toEqual(["stdout: one", "stderr: bad", "stdout: two", "stdout: three"]);
  });

  it("ships the pieces of an answer as they come, as one text for all that waited", async () => {
    const { shipped, chunks } = setup();
    shipped.write("token", "The ", at);
    shipped.write("token", "first\nli", at);
    await expect.poll(() => chunks.map(({ lines }) => lines)).toEqual([[["token", 1000, "The first\nli"]]]);
    shipped.write("token", "ne", at);
    await shipped.end();
    expect(chunks.at(-1)?.lines).toEqual([["token", 1000, "ne"]]);
  });

  it("ships while the task still runs", async () => {
    const { shipped, chunks } = setup();
    shipped.write("stdout", "early\n", at);
    await expect.poll(() => chunks).toEqual([{ chunk: 0, lines: [["stdout", 1000, "early"]] }]);
    await shipped.end();
  });

  it("keeps the order and the numbers while the database is away for a moment", async () => {
    const { shipped, chunks } = setup({ failures: 2, chunkBytes: 30 }, 7);
    for (const word of ["one", "two", "three"]) shipped.write("stdout", `${word} of several\n`, at);
    await shipped.end();
    expect(chunks.map(({ chunk }) => chunk)).toEqual([7, 8, 9]);
    expect(chunks.map(({ lines }) => lines[0]?.[2])).toEqual(["one of several", "two of several", "three of several"]);
  });

  it("keeps what waits for as long as the database is away, but gives up on what it refuses", async () => {
    const away = setup({ failures: 50, isAway: true });
    away.shipped.write("stdout", "written while cut off\n", at);
    await away.shipped.end();
    expect(away.texts()).toEqual(["stdout: written while cut off"]);
    const refused = setup({ failures: 10 });
    refused.shipped.write("stdout", "unfit\n", at);
    await refused.shipped.end();
    expect(refused.texts()).toEqual([]);
  });

  it("stores no more than its bound, and says how much it left out", async () => {
    const { shipped, texts } = setup({ maxBytes: 1000 });
    for (let n = 0; n < 100; n += 1) shipped.write("stdout", `${"x".repeat(50)}\n`, at);
    await shipped.end();
    const all = texts();
    expect(all.length).toBeLessThan(20);
    expect(all.at(-1)).toMatch(/^system: \d+ bytes of log were not kept: an attempt keeps 1000 at most\.$/);
  });

  it("cuts a line that never ends", async () => {
    const { shipped, texts } = setup({ chunkBytes: 100 });
    shipped.write("stdout", "y".repeat(250), at);
    await shipped.end();
    expect(texts().join("").replaceAll("stdout: ", "")).toBe("y".repeat(250));
  });

  it("stops when the claim is no longer held", async () => {
    const { shipped, chunks } = setup({ isHeld: false });
    shipped.write("stdout", "late\n", at);
    await shipped.end();
    expect(chunks).toEqual([]);
  });
});
