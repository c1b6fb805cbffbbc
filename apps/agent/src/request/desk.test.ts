import { expect, it } from "vitest";
import { createLog } from "@drover/daemon/log";
import type { NodeReply, NodeRequest } from "@drover/db/node/replica";
import { DroverError } from "@drover/domain/error";
import type { ReplyPart, SendReply } from "./answer.ts";
import { createRequestDesk, type RequestHandlers } from "./desk.ts";

const log = createLog({ app: "test", level: "silent" });
const pull = (id: string, nextChunk = 0): NodeRequest => ({ id, nextChunk, kind: "pull", spec: { images: [id] } });

/** A desk whose pulls run until they are let go, and what it sent. */
function setup(options: { maxRequests?: number; reply?: SendReply; aliveMs?: number } = {}) {
  const sent: ReplyPart[] = [];
  const going = new Map<string, { end: (error?: Error) => void; signal: AbortSignal }>();
  const never = async (): Promise<NodeReply> => ({ isAlive: true });
  const handlers: RequestHandlers = {
    logs: never,
    probe: never,
    usage: never,
    pull: ({ images }, { signal }) =>
      new Promise<void>((resolve, reject) => {
        const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
        going.set(images[0] ?? "", { end, signal });
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
  const reply: SendReply = async (part) => {
    sent.push(part);
    return "taken";
  };
  const desk = createRequestDesk({ handlers, reply, log, ...options });
  const errors = () => sent.flatMap(({ requestId, body }) => ("error" in body ? [[requestId, body.reason]] : []));
  return { desk, sent, going, errors };
}

it("begins each request once, and stops what nobody asks any more", async () => {
  const { desk, sent, going } = setup();
  desk.take([pull("a"), pull("b")]);
  desk.take([pull("a"), pull("b")]);
  expect(desk.running).toBe(2);
  desk.take([pull("a")]);
  expect(going.get("b")?.signal.aborted).toBe(true);
  await expect.poll(() => desk.running).toBe(1);
  going.get("a")?.end();
  await expect.poll(() => desk.running).toBe(0);
  expect(sent).toEqual([{ requestId: "a", chunk: 0, body: { isAlive: true }, isLast: true }]);
  // A list that was on its way meanwhile.
  desk.take([pull("a")]);
  expect(desk.running).toBe(0);
});

it("refuses what is too much, and what a former life began", async () => {
  const { desk, sent, errors } = setup({ maxRequests: 1 });
  desk.take([pull("a"), pull("b"), pull("c", 3)]);
  await expect.poll(errors).toEqual([["b", "overloaded"], ["c", "conflict"]]); // prettier-ignore
  expect(sent.find(({ requestId }) => requestId === "c")).toMatchObject({ chunk: 3, isLast: true });
  expect(desk.running).toBe(1);
});

it("tells why a request failed, and no more than that of a fault of its own", async () => {
  const { desk, going, sent } = setup();
  desk.take([pull("a"), pull("b")]);
  going.get("a")?.end(new DroverError("not_found", "There is none."));
  going.get("b")?.end(new TypeError("x is undefined"));
  await expect.poll(() => sent.length).toBe(2);
  expect(sent[0]?.body).toEqual({ error: "There is none.", reason: "not_found" });
  expect(sent[1]?.body).toMatchObject({ reason: "internal", error: expect.not.stringContaining("undefined") });
});

it("offers a part again until it is taken, in order, through a database that is away", async () => {
  const outcomes = [new DroverError("unavailable", "away"), "full", "full", "taken"] as const;
  const tries: ReplyPart[] = [];
  const reply: SendReply = async (part) => {
    tries.push(part);
    const outcome = outcomes[tries.length - 1] ?? "taken";
    if (outcome instanceof DroverError) throw outcome;
    return outcome;
  };
  const { desk, going } = setup({ reply });
  desk.take([pull("a")]);
  going.get("a")?.end();
  await expect.poll(() => desk.running).toBe(0);
  expect(tries.map(({ chunk }) => chunk)).toEqual([0, 0, 0, 0]);
});

it("asks in its quiet whether anybody waits, and stops where nobody does", async () => {
  let left = 2;
  const { desk, going } = setup({ aliveMs: 20, reply: async () => ((left -= 1) >= 0 ? "taken" : "unwanted") });
  desk.take([pull("a")]);
  await expect.poll(() => desk.running).toBe(0);
  expect(left).toBe(-1);
  expect(going.get("a")?.signal.aborted).toBe(true);
});
