import { openDatabase } from "../../../db/client.ts";
import { register } from "../../../db/node/register.ts";
import { complete } from "../../../db/node/settle.ts";
import { sync } from "../../../db/node/sync.ts";
import { setBudget } from "../../../db/query/budget.ts";
import { findClass } from "../../../db/query/class.ts";
import { verifyLedger } from "../../../db/query/ledger.ts";
import { setLimit } from "../../../db/query/limit.ts";
import { ensureQueue, findNamespace } from "../../../db/query/queue.ts";
import { submit } from "../../../db/query/submit.ts";
import type { Bench } from "../bench.ts";
import type { Figure } from "../figure.ts";
import { nowMs } from "../measure.ts";

const calls = 10_000;
const result = JSON.stringify({ text: "", usage: { inputTokens: 90, outputTokens: 20 } });

/**
 * Calls of models that all fall under the same three limits and one budget: each is claimed, which reserves it in all
 * four at once, and completed, which settles it in all four. Two holders at once that take 100 a time, then eight that
 * take one.
 */
export async function limit(bench: Bench): Promise<Figure[]> {
  const db = openDatabase({ url: bench.url, maxConnections: 4 });
  const namespaceId = (await findNamespace(db, "default")) ?? 0;
  const llm = await findClass(db, namespaceId, "llm");
  if (llm === undefined) throw new Error("expected the class llm, got none");
  const rule = { provider: "bench", allowance: 1_000_000_000n };
  await setLimit(db, { ...rule, name: "requests", metric: "requests", windowSeconds: 60 }, "bench");
  await setLimit(db, { ...rule, name: "tokens", metric: "tokens", windowSeconds: 3600 }, "bench");
  await setLimit(db, { ...rule, name: "slots", metric: "concurrent" }, "bench");
  const budget = { scope: "namespace", period: "day", alertPercents: [80], whenExceeded: "fail" } as const;
  await setBudget(db, namespaceId, { ...budget, name: "money", limitNanos: 10n ** 15n }, "bench");
  const queueId = await ensureQueue(db, {
    namespaceId,
    classId: llm.id,
    executor: "llm",
    taskType: "bench",
  });
  const call = { provider: "bench", model: "m", messages: [], inputTokens: 100, maxOutputTokens: 50, charge: {} };
  const execution = JSON.stringify(call);

  const figures: Figure[] = [];
  for (const { holders, slots } of [
    { holders: 2, slots: 100 },
    { holders: 8, slots: 1 },
  ]) {
    const tasks = Array.from({ length: calls }, () => ({ queueId, execution }));
    await submit(db, { namespaceId, actor: "bench" }, tasks);
    await bench.settle();
    const start = nowMs();
    const settled = await Promise.all(
      Array.from({ length: holders }, (_, n) => work(bench.url, `holder-${holders}-${n}`, slots)),
    );
    const ms = nowMs() - start;
    const count = settled.reduce((total, one) => total + one, 0);
    if (count !== calls) throw new Error(`expected ${calls} calls to be settled, got ${count}`);
    figures.push({
      metric: `reserve and settle in three limits and a budget, ${holders} holders, ${slots} a claim`,
      contestant: bench.contestant,
      value: (calls / ms) * 1000,
      unit: "calls/s",
    });
  }
  const differences = await verifyLedger(db);
  await db.close();
  if (differences.length > 0) throw new Error(`the ledger differs: ${JSON.stringify(differences)}`);
  return figures;
}

/** A holder on a connection of its own that claims and completes until nothing is left; how many it had. */
async function work(url: string, name: string, slots: number): Promise<number> {
  const db = openDatabase({ url, maxConnections: 1 });
  const holder = await register(db, {
    kind: "node",
    name,
    namespace: "default",
    executors: ["llm"],
    taskTypes: ["bench"],
    classes: null,
    slots: { llm: slots },
    facts: {},
    version: "bench",
  });
  let count = 0;
  for (;;) {
    const answer = await sync(db, holder, { llm: slots }, false);
    if (answer.status !== "ok") throw new Error(`expected a lease that is renewed, got ${answer.status}`);
    if (answer.claims.length === 0) break;
    await complete(
      db,
      holder,
      answer.claims.map((claim) => ({ taskKey: claim.task_id, fence: claim.fence, result })),
    );
    count += answer.claims.length;
  }
  await db.close();
  return count;
}
