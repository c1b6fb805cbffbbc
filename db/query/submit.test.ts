import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestQueue, type TestQueue } from "../testing-queue.ts";
import { type NewNamedTask, submit, submitFailed, submitNamed } from "./submit.ts";
import { findKeys, getTaskDetails, getTasks } from "./task.ts";

let house: TestQueue;
let queueId: number;
beforeAll(async () => {
  house = await openTestQueue();
  queueId = await house.queue();
});
afterAll(() => house.close());

const hash = (body: string) => createHash("sha256").update(body).digest();
const task = (body: string, parts: Omit<Partial<NewNamedTask>, "queueId">): NewNamedTask => ({
  queueId,
  payload: JSON.stringify(body),
  requestHash: hash(body),
  ...parts,
});
const named = (...tasks: NewNamedTask[]) => submitNamed(house.db, house.context, tasks);
const verdicts = async (...tasks: NewNamedTask[]) => (await named(...tasks)).map((row) => row.verdict);

describe("submit", () => {
  it("answers 10,000 keys in the order given, each greater than the one before", async () => {
    const keys = await submit(
      house.db,
      house.context,
      Array.from({ length: 10_000 }, (_, n) => ({ queueId, payload: String(n) })),
    );
    expect(keys).toHaveLength(10_000);
    expect(keys.every((key, n) => n === 0 || BigInt(key) > BigInt(keys[n - 1] ?? "0"))).toBe(true);
    const picked = [keys[0], keys[4999], keys[9999]].filter((key) => key !== undefined);
    const details = await getTaskDetails(house.db, house.context.namespaceId, picked);
    expect(new Set(details.map((row) => row.payload))).toEqual(new Set([0, 4999, 9999]));
  });

  it("tells of a whole batch by one event that names every task", async () => {
    const keys = await submit(house.db, { ...house.context, actor: "one-batch" }, [
      { queueId },
      { queueId },
      { queueId },
    ]);
    const events = await house.db.run<{ kind: string; task_ids: string[] }>(sql`
      select kind, task_ids from drover.event where actor = 'one-batch'`);
    expect(events).toEqual([{ kind: "task.submitted", task_ids: keys }]);
  });

  it("keeps every text as it is", async () => {
    const texts = [
      `it's "quoted" \\ back\\\\slashed`, "{curly,braces}", "null", "NULL", "", " ", "a\nb\tc\r", "\u0001\u007f", "日本語",
      "👩‍👩‍👧‍👦 family", "$1 ${x} %s %L", "';drop table drover.task;--", "x".repeat(256 * 1024),
    ]; // prettier-ignore
    const keys = await submit(
      house.db,
      house.context,
      texts.map((text) => ({
        queueId,
        payload: JSON.stringify({ text, [text.slice(0, 100)]: 1 }),
        execution: JSON.stringify({ command: [text] }),
        labels: JSON.stringify({ label: text.slice(0, 1000) }),
      })),
    );
    const rows = new Map(
      (await getTaskDetails(house.db, house.context.namespaceId, keys)).map((row) => [row.key, row]),
    );
    texts.forEach((text, n) => {
      const row = rows.get(keys[n] ?? "");
      expect(row?.payload).toEqual({ text, [text.slice(0, 100)]: 1 });
      expect(row?.execution).toEqual({ command: [text] });
      expect(row?.labels).toEqual({ label: text.slice(0, 1000) });
    });
  });

  it("keeps names and keys as they are, and escapes in JSON that are no character", async () => {
    const names = [`it's "q" \\`, "{a,b}", "NULL", "null", "日本語 👍", "';--"];
    const made = await named(...names.map((name) => task(name, { name, idempotencyKey: name })));
    expect(made.map((row) => row.verdict)).toEqual(names.map(() => "created"));
    const found = await findKeys(house.db, house.context.namespaceId, names);
    expect(names.map((name) => found.get(name))).toEqual(made.map((row) => row.task_id));
    const [key] = await submit(house.db, house.context, [{ queueId, payload: String.raw`["\ud800","\u0000"]` }]);
    const [row] = await getTaskDetails(house.db, house.context.namespaceId, [key ?? ""]);
    expect(row?.payload).toEqual(["\ud800", "\u0000"]);
  });

  it.each([
    ["a NUL", "a\u0000b"],
    ["half of a surrogate pair", "a\ud800b"],
  ])("refuses a name with %s, naming what is wrong, and stores nothing of the batch", async (_what, name) => {
    const before = await house.count("task");
    await expect(named(task("x", { name: "harmless" }), task("y", { name }))).rejects.toMatchObject({
      name: "DroverError",
      reason: "invalid",
      message: expect.stringContaining("character"),
    });
    expect(await house.count("task")).toBe(before);
  });

  it.each([String.raw`{"a":"\u0000"}`, String.raw`{"a":"\ud800"}`])(
    "refuses labels %s, which jsonb cannot hold",
    async (labels) => {
      await expect(submit(house.db, house.context, [{ queueId, labels }])).rejects.toMatchObject({
        name: "DroverError",
        reason: "invalid",
      });
    },
  );

  it("holds a delayed task back until its time", async () => {
    const keys = await submit(house.db, house.context, [
      { queueId, delayMs: 60_000 },
      { queueId },
      { queueId, delayMs: 0 },
    ]);
    const rows = new Map((await getTasks(house.db, house.context.namespaceId, keys)).map((row) => [row.key, row]));
    expect(keys.map((key) => rows.get(key)?.state)).toEqual(["waiting", "pending", "pending"]);
    const delayed = rows.get(keys[0] ?? "");
    expect(delayed?.waiting_reason).toBe("delayed");
    expect(Number(delayed?.waiting_until) - Date.now()).toBeGreaterThan(50_000);
  });

  it("writes nothing for an empty batch", async () => {
    const before = await house.count("event");
    expect(await submit(house.db, house.context, [])).toEqual([]);
    expect(await named()).toEqual([]);
    expect(await house.count("event")).toBe(before);
  });
});

describe("submitNamed", () => {
  it("makes a task once: the same body again is existing, another one a conflict", async () => {
    const [first] = await named(task("body", { name: "once" }));
    expect(first?.verdict).toBe("created");
    expect(await named(task("body", { name: "once" }), task("other", { name: "once" }))).toEqual([
      { task_id: first?.task_id, verdict: "existing" },
      { task_id: first?.task_id, verdict: "conflict" },
    ]);
  });

  it("keeps ids and idempotency keys apart", async () => {
    expect(await verdicts(task("a", { name: "apart" }), task("b", { idempotencyKey: "apart" }))).toEqual([
      "created",
      "created",
    ]);
    expect(await verdicts(task("a", { name: "apart", idempotencyKey: "new-key" }))).toEqual(["existing"]);
  });

  it("lets the first of a batch win, and takes tasks without any name", async () => {
    const rows = await named(
      task("a", { name: "batch" }),
      task("a", { name: "batch" }),
      task("b", { name: "batch" }),
      task("c", {}),
    );
    expect(rows.map((row) => row.verdict)).toEqual(["created", "existing", "conflict", "created"]);
    expect(rows[1]?.task_id).toBe(rows[0]?.task_id);
  });

  it("gives back the key that a refused task had won, so that it can be used", async () => {
    await named(task("a", { name: "taken" }));
    expect(await verdicts(task("b", { name: "taken", idempotencyKey: "freed" }))).toEqual(["conflict"]);
    expect(await verdicts(task("c", { idempotencyKey: "freed" }))).toEqual(["created"]);
  });

  it("judges a task by what remains when the one before it was refused", async () => {
    await named(task("a", { name: "occupied" }));
    const rows = await named(
      task("b", { name: "occupied", idempotencyKey: "shared-key" }),
      task("c", { idempotencyKey: "shared-key" }),
      task("d", { idempotencyKey: "shared-key" }),
    );
    expect(rows.map((row) => row.verdict)).toEqual(["conflict", "created", "conflict"]);
    expect(rows[2]?.task_id).toBe(rows[1]?.task_id);
    const states = await getTasks(
      house.db,
      house.context.namespaceId,
      rows.map((row) => row.task_id),
    );
    expect(new Set(states.map((row) => row.key))).toEqual(new Set(rows.map((row) => row.task_id)));
  });

  it("never leaves a key behind whose task does not exist", async () => {
    const [orphans] = await house.db.run<{ n: string }>(sql`
      select count(*) as n from drover.task_key k where not exists (select from drover.task t where t.id = k.task_id)`);
    expect(orphans?.n).toBe("0");
  });

  it("does not deadlock when two batches bring the same names in opposite order", async () => {
    const names = Array.from({ length: 200 }, (_, n) => `crossed-${n}`);
    const forward = names.map((name) => task("same", { name }));
    const sessions = await Promise.all([house.session(), house.session()]);
    await sessions[0].begin();
    const first = await submitNamed(sessions[0], house.context, forward);
    const second = submitNamed(sessions[1], house.context, forward.toReversed());
    await sessions[1].isBlocked();
    await sessions[0].commit();
    expect(new Set(first.map((row) => row.verdict))).toEqual(new Set(["created"]));
    expect((await second).map((row) => row.task_id).toReversed()).toEqual(first.map((row) => row.task_id));
    expect(new Set((await second).map((row) => row.verdict))).toEqual(new Set(["existing"]));
    // And without any order forced, many times over.
    for (let round = 0; round < 5; round += 1) {
      const tasks = names.map((name) => task("same", { name: `${name}-${round}` }));
      const [one, two] = await Promise.all([
        submitNamed(house.db, house.context, tasks),
        submitNamed(house.db, house.context, tasks.toReversed()),
      ]);
      expect(two.map((row) => row.task_id).toReversed()).toEqual(one.map((row) => row.task_id));
    }
  });

  it("takes the names over when the batch that brought them first is rolled back", async () => {
    const [one, two] = await Promise.all([house.session(), house.session()]);
    await one.begin();
    await submitNamed(one, house.context, [task("a", { name: "abandoned" })]);
    const second = submitNamed(two, house.context, [task("b", { name: "abandoned" })]);
    await two.isBlocked();
    await one.rollback();
    expect((await second)[0]?.verdict).toBe("created");
  });
});

describe("submitFailed", () => {
  it("records a task that ends at once, once", async () => {
    const refused = {
      queueId,
      payload: "{}",
      name: "hopeless",
      requestHash: hash("h"),
      error: '{"class":"refused","message":"no"}',
    };
    const first = await submitFailed(house.db, house.context, refused);
    expect(first?.verdict).toBe("created");
    const [row] = await getTasks(house.db, house.context.namespaceId, [first?.task_id ?? ""]);
    expect(row).toMatchObject({ state: "failed", name: "hopeless", error: { class: "refused", message: "no" } });
    expect(await submitFailed(house.db, house.context, refused)).toEqual({
      task_id: first?.task_id,
      verdict: "existing",
    });
  });
});

describe("10,000 names with 10,000 keys", () => {
  it.each(["created", "existing"])(
    "are judged in time that grows with their number, not with its square: %s",
    async (verdict) => {
      const many = Array.from({ length: 10_000 }, (_, n) =>
        task("many", { name: `many-${n}`, idempotencyKey: `many-${n}` }),
      );
      const started = performance.now();
      expect(new Set(await verdicts(...many))).toEqual(new Set([verdict]));
      expect(performance.now() - started).toBeLessThan(5000); // about 250 ms on two cores; plans gone wrong took 20 s
    },
  );
});
