import { describe, expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import { createWorkLoop } from "./loop.ts";
import type { PollAnswer, Source } from "./source.ts";

const log = createLog({ app: "test", level: "silent" });
const refusal = { status: "superseded", why: "its login was taken away" } as const;

/** A control plane whose answers the test gives. */
function setup({ leaseSeconds = 0.2 } = {}) {
  const polls: PromiseWithResolvers<PollAnswer<string>>[] = [];
  let registrations = 0;
  const source: Source<string, number | undefined> = {
    async register() {
      registrations += 1;
      return { leaseSeconds };
    },
    poll() {
      const poll = Promise.withResolvers<PollAnswer<string>>();
      polls.push(poll);
      return poll.promise;
    },
    complete: async () => [],
    fail: async () => [],
    held: async () => [],
    leave: async () => {},
    subscribe: () => () => {},
  };
  const started: string[] = [];
  let losses = 0;
  const loop = createWorkLoop<string, number | undefined>({
    source,
    free: () => 1,
    start: (claim) => void started.push(claim),
    cancel: () => {},
    holds: () => true,
    loseAll: () => void (losses += 1),
    graceMs: 50,
    log,
  });
  const answer = (claims: string[]): PollAnswer<string> => ({
    status: "ok",
    leaseSeconds,
    claims,
    cancels: [],
    nextPollMs: 5,
    hasMore: false,
  });
  const stop = async () => {
    const stopped = loop.stop();
    for (const poll of polls) poll.resolve(answer([]));
    await stopped;
  };
  return { loop, polls, started, answer, stop, losses: () => losses, registrations: () => registrations };
}

/** A loop whose control plane refuses it, at its registration or later; what it logged until it ended. */
async function endRefused(at: "registration" | "poll"): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const over = Promise.withResolvers<void>();
  const loop = createWorkLoop<string, number>({
    source: {
      register: async () => (at === "registration" ? refusal : { leaseSeconds: 30 }),
      poll: async () => refusal,
      complete: async () => [],
      fail: async () => [],
      held: async () => [],
      leave: async () => {},
      subscribe: () => () => {},
    },
    free: () => 1,
    start: () => {},
    cancel: () => {},
    holds: () => true,
    loseAll: () => {},
    onSuperseded: over.resolve,
    graceMs: 50,
    log: createLog({ app: "test", level: "info", to: { write } }),
  });
  await loop.start();
  await over.promise;
  await loop.stop();
  return lines;
}

describe("work loop", () => {
  it("starts what a poll brought", async () => {
    const { loop, polls, started, answer, stop } = setup({ leaseSeconds: 30 });
    await loop.start();
    await expect.poll(() => polls.length).toBe(1);
    polls[0]?.resolve(answer(["first"]));
    await expect.poll(() => started).toEqual(["first"]);
    await stop();
  });

  it("begins a new life when the lease ran out during a poll, whatever that poll still brings", async () => {
    const { loop, polls, started, answer, stop, losses, registrations } = setup();
    await loop.start();
    await expect.poll(losses).toBe(1);
    expect(polls).toHaveLength(1);
    polls[0]?.resolve(answer(["late"]));
    await expect.poll(registrations).toBe(2);
    expect(started).toEqual([]);
    await stop();
  });

  it("says why it ends where the control plane refuses it, and blames nobody else", async () => {
    const lines = await endRefused("poll");
    expect(lines).toContainEqual(expect.objectContaining({ message: "lease lost", why: "its login was taken away" }));
    expect(lines.map(({ why }) => why)).not.toContain("another process registered under this name");
  });

  it("does not try again where its registration is refused", async () => {
    expect(await endRefused("registration")).toEqual([]);
  });

  it("starts nothing that a poll brought after the end of its own lease", async () => {
    const { loop, polls, started, answer, stop, losses, registrations } = setup();
    await loop.start();
    await expect.poll(() => polls.length).toBe(1);
    // The process stands still, as under SIGSTOP: no timer fires until it wakes, and the answer is there by then.
    polls[0]?.resolve(answer(["stale"]));
    for (const end = performance.now() + 300; performance.now() < end;);
    await expect.poll(losses).toBe(1);
    await expect.poll(registrations).toBe(2);
    expect(started).toEqual([]);
    await stop();
  });
});
