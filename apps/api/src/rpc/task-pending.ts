import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Executor } from "@drover/db/client";
import { pendingFacts, type TaskRow } from "@drover/db/query/task";
import { explainPending, type WaitingReason } from "@drover/domain/pending";
import { type Pending, PendingSchema } from "@drover/proto/drover/task";
import { explainTask } from "../operation/place/explain.ts";

/** Why a task does not run yet, as a message; undefined once it runs or has ended. */
export async function pendingOf(db: Executor, row: TaskRow): Promise<Pending | undefined> {
  if (row.state !== "pending" && row.state !== "waiting") return undefined;
  const facts = await pendingFacts(db, row.key);
  if (facts === undefined) return undefined;
  const placement = row.state === "pending" ? await explainTask(db, row.key) : undefined;
  const answer = explainPending({
    state: row.state,
    ...(row.waiting_reason !== null && { waitingReason: row.waiting_reason as WaitingReason }),
    ...(row.waiting_until && { untilAt: row.waiting_until }),
    ...(row.blocker !== null && { blocker: row.blocker }),
    className: row.class,
    classPaused: facts.paused,
    ...(facts.concurrency_limit !== null && { classLimit: facts.concurrency_limit }),
    classRunning: Number(facts.running),
    executor: row.executor,
    taskType: row.type,
    liveHolders: Number(facts.live_holders),
    ahead: Number(facts.ahead),
    ...(placement && { placement }),
  });
  return (
    answer &&
    create(PendingSchema, {
      reason: answer.reason,
      message: answer.message,
      ahead: BigInt(facts.ahead),
      rejections: answer.reason === "unplaced" ? [...(placement?.rejections ?? [])] : [],
      ...(row.waiting_until && { until: timestampFromDate(row.waiting_until) }),
    })
  );
}
