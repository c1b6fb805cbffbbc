import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "@drover/db/client";
import { createWakeups, type Wakeups } from "@drover/db/listen";
import { type Registered, register } from "@drover/db/node/register";
import { type NodeReply, type NodeRequest, reply } from "@drover/db/node/replica";
import { sync } from "@drover/db/node/sync";
import { createTestDatabase, type TestDatabase } from "@drover/db/testing";
import { DroverError } from "@drover/domain/error";
import { ask, type NodeAnswer } from "./node-request.ts";

let database: TestDatabase;
let db: Database;
let wakeups: Wakeups;
let names = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, maxConnections: 4 });
  wakeups = createWakeups({ url: database.url });
  await wakeups.start();
});
afterAll(async () => {
  await wakeups.stop();
  await db.close();
  await database.drop();
});

/** A node of the test's own, that says what the test has it say. */
async function setup() {
  const name = `node-${(names += 1)}`;
  const join = (): Promise<Registered> =>
    register(db, {
      kind: "node",
      name,
      namespace: "default",
      executors: ["docker"],
      taskTypes: [],
      classes: null,
      slots: {},
      facts: {},
      version: "test",
    });
  const life = await join();
  const question = { holderId: life.holderId, kind: "pull" as const, spec: { images: ["a"] } };
  const requests = async (as = life): Promise<NodeRequest[]> => {
    const answer = await sync(db, as, {}, false);
    return answer.status === "ok" ? (answer.requests ?? []) : [];
  };
  const asked = async (): Promise<NodeRequest> => {
    await expect.poll(async () => (await requests()).length).toBe(1);
    const [request] = await requests();
    if (request === undefined) throw new Error("expected a request");
    return request;
  };
  const say = (requestId: string, chunk: number, body: NodeReply, isLast = false, as = life) =>
    reply(db, as, { requestId, chunk, body, isLast });
  return { name, life, join, question, requests, asked, say };
}

const pulled = (current: number): NodeReply => ({
  pull: { image: "a", status: "downloading", current, total: 100, percent: current },
});
const bytesOf = (answers: NodeAnswer[]) =>
  answers.map((answer) => ("body" in answer && "pull" in answer.body ? answer.body.pull.current : answer));

async function collect(answers: AsyncIterable<NodeAnswer>): Promise<NodeAnswer[]> {
  const all: NodeAnswer[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}
const faultOf = (answer: NodeAnswer | undefined) =>
  answer !== undefined && "fault" in answer ? answer.fault : undefined;
const countRequests = async (holderId: number) => {
  const [row] = await db.run<{ count: number }>(
    sql`select count(*)::integer as count from drover.node_request where holder_id = ${holderId}`,
  );
  return row?.count;
};
const signal = new AbortController().signal;

describe("asking nodes", () => {
  it("yields what each node says, in its order, until all have said their last word", async () => {
    const [one, two] = [await setup(), await setup()];
    const answers = collect(ask({ db, wakeups }, [one.question, two.question], { signal }));
    const [first, second] = [await one.asked(), await two.asked()];
    expect(await one.say(first.id, 0, pulled(1))).toBe("taken");
    expect(await two.say(second.id, 0, pulled(7), true)).toBe("taken");
    expect(await one.say(first.id, 1, { isAlive: true })).toBe("taken");
    expect(await one.say(first.id, 2, pulled(2), true)).toBe("taken");
    const all = await answers;
    expect(bytesOf(all.filter(({ node }) => node === one.name))).toEqual([1, 2]);
    expect(all.filter(({ node }) => node === two.name)).toMatchObject([{ question: 1 }]);
    expect(await countRequests(one.life.holderId)).toBe(0);
    expect(await one.say(first.id, 3, pulled(3))).toBe("unwanted");
  });

  it("hears hints within a moment, and needs none", async () => {
    const node = await setup();
    const deaf = { ...wakeups, subscribe: () => () => {}, isListening: false };
    const answers = collect(ask({ db, wakeups: deaf }, [node.question], { signal }));
    const request = await node.asked();
    await node.say(request.id, 0, pulled(1), true);
    expect(bytesOf(await answers)).toEqual([1]);
  });

  it("takes no more than so many unread parts, and offers room once they are read", async () => {
    const node = await setup();
    const answers = ask({ db, wakeups }, [node.question], { signal });
    const first = answers.next();
    const request = await node.asked();
    let chunk = 0;
    while ((await node.say(request.id, chunk, pulled(chunk))) === "taken") chunk += 1;
    expect(chunk).toBeGreaterThanOrEqual(16);
    expect(chunk).toBeLessThanOrEqual(24);
    expect(bytesOf([(await first).value as NodeAnswer])).toEqual([0]);
    const rest = collect(answers);
    await expect.poll(() => node.say(request.id, chunk, pulled(chunk), true)).toBe("taken");
    expect(bytesOf(await rest)).toEqual(Array.from({ length: chunk }, (_, index) => index + 1));
  });

  it("tells a node when its caller leaves", async () => {
    const node = await setup();
    const leaving = new AbortController();
    const answers = collect(ask({ db, wakeups }, [node.question], { signal: leaving.signal }));
    await node.asked();
    leaving.abort();
    expect(await answers).toEqual([]);
    expect(await node.requests()).toEqual([]);
  });

  it("says of a lost node at once, and of the others what they say", async () => {
    const [lost, there] = [await setup(), await setup()];
    await db.run(
      sql`update drover.holder_lease set expires_at = now() - interval '70 seconds' where holder_id = ${lost.life.holderId}`,
    );
    const answers = collect(ask({ db, wakeups }, [lost.question, there.question], { signal }));
    const request = await there.asked();
    await there.say(request.id, 0, pulled(1), true);
    const all = await answers;
    expect(faultOf(all[0])).toMatchObject({ reason: "unavailable" });
    expect(faultOf(all[0])?.message).toMatch(new RegExp(`node "${lost.name}".*is lost: .* 7\\d s before`));
    expect(all[1]).toMatchObject({ question: 1, node: there.name });
    expect(await countRequests(lost.life.holderId)).toBe(0);
  });

  it("gives up on a node that takes nothing up, stops answering, or is lost meanwhile", async () => {
    const [mute, stalled, dying] = [await setup(), await setup(), await setup()];
    const quick = { signal, beginMs: 300, silenceMs: 600 };
    const startedAt = performance.now();
    const unheard = await collect(ask({ db, wakeups: { ...wakeups, isListening: false } }, [mute.question], quick));
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(faultOf(unheard[0])?.message).toContain(`node "${mute.name}" to answer, but it did not take up the request`);
    expect(faultOf(unheard[0])?.facts.hint).toContain(`drover node get ${mute.name}`);

    const broken = collect(ask({ db, wakeups }, [stalled.question], quick));
    await stalled.say((await stalled.asked()).id, 0, { isAlive: true });
    expect(faultOf((await broken)[0])?.message).toContain("stopped answering");

    const patient = { signal, beginMs: 400, silenceMs: 60_000 };
    const cut = collect(ask({ db, wakeups }, [dying.question], patient));
    await dying.say((await dying.asked()).id, 0, { isAlive: true });
    await db.run(sql`update drover.holder_lease set expires_at = now() where holder_id = ${dying.life.holderId}`);
    expect(faultOf((await cut)[0])?.message).toContain("it was lost meanwhile");
  });

  it("passes on why a node refuses", async () => {
    const node = await setup();
    const answers = collect(ask({ db, wakeups }, [node.question], { signal }));
    await node.say((await node.asked()).id, 0, { error: "There is none.", reason: "not_found" }, true);
    expect(faultOf((await answers)[0])).toEqual(new DroverError("not_found", "There is none."));
  });

  it("lets only the newest life of a node go on with an answer, from where the last one stood", async () => {
    const node = await setup();
    const answers = collect(ask({ db, wakeups }, [node.question], { signal }));
    const { id } = await node.asked();
    await node.say(id, 0, pulled(1));
    const next = await node.join();
    expect(await node.say(id, 1, pulled(2))).toBe("unwanted");
    const [again] = await node.requests(next);
    expect(again).toMatchObject({ id, nextChunk: 1 });
    await node.say(id, 1, { error: "anew", reason: "conflict" }, true, next);
    expect(faultOf((await answers)[1])?.reason).toBe("conflict");
  });

  it("ends with words where the request was taken away", async () => {
    const node = await setup();
    const answers = collect(ask({ db, wakeups }, [node.question], { signal }));
    const { id } = await node.asked();
    await db.run(sql`delete from drover.node_request where id = ${id}::bigint`);
    await db.run(sql`select pg_notify('drover_wake', ${`reply:${id}`}::text)`);
    expect(faultOf((await answers)[0])?.message).toContain("ended before its answer was whole");
  });
});
