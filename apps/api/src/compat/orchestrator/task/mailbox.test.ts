import { describe, expect, it } from "vitest";
import { createMailbox } from "./mailbox.ts";

const never = 1_000_000;

describe("createMailbox", () => {
  it("hands over everything that has come in, once", async () => {
    const mail = createMailbox<number>(new AbortController().signal);
    mail.put(1);
    mail.put(2);
    expect(await mail.take(never)).toEqual([1, 2]);
    expect(await mail.take(0)).toEqual([]);
  });

  it("waits for what comes in", async () => {
    const mail = createMailbox<string>(new AbortController().signal);
    const taken = mail.take(never);
    mail.put("late");
    expect(await taken).toEqual(["late"]);
  });

  it("throws what failed, also at who waits already", async () => {
    const mail = createMailbox<string>(new AbortController().signal);
    const taken = mail.take(never);
    mail.fail(new Error("the source broke"));
    await expect(taken).rejects.toThrow("the source broke");
  });

  it("waits no longer once the signal is aborted", async () => {
    const left = new AbortController();
    const mail = createMailbox<string>(left.signal);
    const taken = mail.take(never);
    left.abort();
    expect(await taken).toEqual([]);
    expect(await mail.take(never)).toEqual([]);
  });
});
