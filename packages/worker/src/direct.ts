import type { Executor } from "@drover/db/client";
import type { Wakeups } from "@drover/db/listen";
import { held, leave, register } from "@drover/db/node/register";
import { complete, fail } from "@drover/db/node/settle";
import { claim, renew } from "@drover/db/node/sync";
import type { Json } from "@drover/domain/json";
import { formatTaskKey } from "@drover/domain/task-id";
import type { CancelRequest, Claim, Source } from "./source.ts";

export interface DirectSourceOptions {
  db: Executor;
  /** Hints; without them tasks are found by polling. */
  wakeups?: Wakeups;
  name: string;
  namespace?: string;
  types: string[];
  /** Undefined: every class. */
  classes?: string[];
  version?: string;
  now?: () => number;
}

/**
 * Tasks come in company: after a claim the next look comes this soon without a hint, which has an interval of its own.
 * Looking at once instead took a sixth more of Postgres per task in steady state, for claims of few or none.
 */
const companyMs = 2;

/** A worker's source straight over Postgres; `free` is how many tasks there is room for. */
export function createDirectSource({
  db,
  wakeups,
  name,
  namespace = "default",
  types,
  classes,
  version = "",
  now = () => performance.now(),
}: DirectSourceOptions): Source<Claim, number | undefined> {
  let life: { holderId: number; epoch: string } | undefined;
  let leaseSeconds = 30;
  let renewAt = 0;
  const current = () => {
    if (life === undefined) throw new Error("the source is not registered yet");
    return life;
  };
  return {
    async register() {
      const registered = await register(db, {
        kind: "worker",
        name,
        namespace,
        executors: ["worker"],
        taskTypes: types,
        classes: classes ?? null,
        slots: {},
        facts: {},
        version,
      });
      life = { holderId: registered.holderId, epoch: registered.epoch };
      leaseSeconds = registered.leaseSeconds;
      renewAt = now() + (leaseSeconds * 1000) / 3;
      return { leaseSeconds };
    },
    async poll(free) {
      let cancels: CancelRequest[] = [];
      let isRenewed = false;
      // Cancels come with the renewal; a hint for this holder makes it due.
      if (now() >= renewAt) {
        const answer = await renew(db, current());
        if (answer.status !== "ok") return answer;
        leaseSeconds = answer.leaseSeconds;
        renewAt = now() + (leaseSeconds * 1000) / 3;
        isRenewed = true;
        cancels = answer.cancels.map((c) => ({ taskKey: c.task_id, fence: c.fence, reason: c.reason ?? "" }));
      }
      const rows = free === undefined || free <= 0 ? [] : await claim(db, current(), free);
      const untilRenewal = Math.max(0, renewAt - now());
      return {
        status: "ok",
        ...(isRenewed && { leaseSeconds }),
        claims: rows.map((row) => ({
          taskKey: row.task_id,
          fence: row.fence,
          attempt: row.attempt,
          taskId: row.name ?? formatTaskKey(BigInt(row.task_id)),
          class: row.class,
          type: row.type,
          timeoutSeconds: row.timeout_seconds,
          payload: row.payload as Json,
        })),
        cancels,
        nextPollMs: Math.min(untilRenewal, rows.length > 0 ? companyMs : wakeups?.isListening ? 5000 : 1000),
        hasMore: rows.length > 0 && rows.length === free,
      };
    },
    complete: (batch) => complete(db, current(), batch),
    fail: (batch) => fail(db, current(), batch),
    held: () => held(db, current().holderId),
    async leave() {
      if (life !== undefined) await leave(db, life.holderId, life.epoch);
    },
    subscribe(listener) {
      if (wakeups === undefined) return () => {};
      return wakeups.subscribe((hint) => {
        const [kind, what = ""] = hint.split(":", 2);
        if (kind === "holder" && Number(what) === life?.holderId) {
          renewAt = 0;
          listener();
        } else if (kind === "reconnected" || (kind === "class" && (classes === undefined || classes.includes(what)))) {
          listener();
        }
      });
    },
  };
}
