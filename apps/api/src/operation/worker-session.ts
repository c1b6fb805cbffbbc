import { complete, type Completion, fail, type Failure } from "@drover/db/node/settle";
import { claim, renew, type WorkerClaim } from "@drover/db/node/sync";
import { held, leave, register } from "@drover/db/node/register";
import { DroverError } from "@drover/domain/error";
import type { Caller, Deps } from "./context.ts";

/** A registered worker that speaks to us instead of to Postgres. Its session text carries all there is to know. */
export interface WorkerSession {
  holderId: number;
  epoch: string;
}

export interface WorkerFacts {
  name: string;
  types: string[];
  /** Null: every class. */
  classes: string[] | null;
}

/** Begins a worker's life: a lease, and a fence for whoever used its name before. */
export async function registerWorker(
  deps: Deps,
  caller: Caller,
  facts: WorkerFacts,
): Promise<{ session: string; leaseSeconds: number }> {
  const registered = await register(deps.db, {
    kind: "worker",
    name: facts.name,
    namespace: caller.namespace,
    executors: ["worker"],
    taskTypes: facts.types,
    classes: facts.classes,
    slots: {},
    facts: {},
    version: "",
  });
  return { session: `${registered.holderId}.${registered.epoch}`, leaseSeconds: registered.leaseSeconds };
}

/** Up to `limit` tasks, at once. */
export function claimTasks(deps: Deps, session: WorkerSession, limit: number): Promise<WorkerClaim[]> {
  return claim(deps.db, session, limit);
}

/** Renews the lease; a session that ran out is `not_found`, one that was taken over a `conflict`. */
export async function renewLease(deps: Deps, session: WorkerSession) {
  const answer = await renew(deps.db, session);
  switch (answer.status) {
    case "superseded":
      throw new DroverError("conflict", "This session is over: another worker registered under its name.", {
        hint: "Stop what it holds; give each worker a name of its own.",
      });
    case "fenced":
      throw new DroverError("not_found", "This session is over: its lease ran out.", {
        hint: "Stop what it holds, then register again.",
      });
    case "ok":
  }
  return answer;
}

/** Completes claims; returns those that were no longer held. */
export function completeTasks<Item extends Completion>(
  deps: Deps,
  session: WorkerSession,
  batch: Item[],
): Promise<Item[]> {
  return eachOnce(batch, (round) => complete(deps.db, session, round));
}

/** Fails claims; each is retried or ends by its policy. Returns those that were no longer held. */
export function failTasks<Item extends Failure>(deps: Deps, session: WorkerSession, batch: Item[]): Promise<Item[]> {
  return eachOnce(batch, (round) => fail(deps.db, session, round));
}

/** Every claim of a session. */
export function listHeldTasks(deps: Deps, session: WorkerSession): Promise<{ taskKey: string; fence: string }[]> {
  return held(deps.db, session.holderId);
}

/** Ends a worker's life; what it still holds goes back to its queues. */
export async function deregisterWorker(deps: Deps, session: WorkerSession): Promise<void> {
  await leave(deps.db, session.holderId, session.epoch);
}

/** Reads a session text; throws `invalid`. */
export function parseSession(text: string): WorkerSession {
  const match = /^([1-9]\d{0,9})\.([1-9]\d{0,18})$/.exec(text);
  const isInRange = Number(match?.[1]) < 2 ** 31 && BigInt(match?.[2] ?? 0) < 2n ** 63n;
  if (match?.[1] === undefined || match[2] === undefined || !isInRange) {
    throw new DroverError("invalid", `Expected the session that RegisterWorker returned, got "${text.slice(0, 50)}".`, {
      fields: [{ field: "session", message: "expected the session that RegisterWorker returned" }],
    });
  }
  return { holderId: Number(match[1]), epoch: match[2] };
}

/** Settles in rounds that name each task once: a batch may carry two attempts of a task, or one of them twice. */
async function eachOnce<Item extends { taskKey: string }>(
  batch: Item[],
  settle: (round: Item[]) => Promise<string[]>,
): Promise<Item[]> {
  const rounds: Map<string, Item>[] = [];
  const counts = new Map<string, number>();
  for (const item of batch) {
    const count = counts.get(item.taskKey) ?? 0;
    counts.set(item.taskKey, count + 1);
    const round = (rounds[count] ??= new Map());
    round.set(item.taskKey, item);
  }
  const stale = new Set<Item>();
  for (const round of rounds) {
    for (const key of await settle([...round.values()])) {
      const item = round.get(key);
      if (item !== undefined) stale.add(item);
    }
  }
  return batch.filter((item) => stale.has(item));
}
