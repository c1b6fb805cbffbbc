import { create, toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampNow, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Wakeups } from "@drover/db/listen";
import type { WorkerClaim } from "@drover/db/node/sync";
import type { Json } from "@drover/domain/json";
import { formatTaskKey } from "@drover/domain/task-id";
import { ClaimedTaskSchema, type WorkerService } from "@drover/proto/drover/worker";
import type { Deps } from "../operation/context.ts";
import { claimTasks } from "../operation/claim-tasks.ts";
import { completeTasks } from "../operation/complete-tasks.ts";
import { deregisterWorker } from "../operation/deregister-worker.ts";
import { failTasks } from "../operation/fail-tasks.ts";
import { listHeldTasks } from "../operation/list-held-tasks.ts";
import { registerWorker } from "../operation/register-worker.ts";
import { renewLease } from "../operation/renew-lease.ts";
import { parseSession, type WorkerSession } from "../operation/worker-session.ts";
import { callerOf } from "./caller.ts";
import { valueMessage } from "./task-message.ts";
import { millis } from "./task-spec.ts";

export interface WorkerServiceOptions {
  deps: Deps;
  wakeups: Wakeups;
}

/** drover.v1.WorkerService. */
export function workerService({ deps, wakeups }: WorkerServiceOptions): ServiceImpl<typeof WorkerService> {
  return {
    async registerWorker(request, context) {
      const { session, leaseSeconds } = await registerWorker(deps, callerOf(context), {
        name: request.name,
        types: request.types,
        classes: request.classes.length > 0 ? request.classes : null,
      });
      return { session, lease: durationFromMs(leaseSeconds * 1000) };
    },
    async claimTasks(request, context) {
      const session = parseSession(request.session);
      // A claim proves life: whoever polls keeps the lease.
      await renewLease(deps, session);
      const waitMs = request.wait ? millis(request.wait) : 0;
      const rows = await pollClaims(deps, wakeups, session, request.maxTasks, waitMs, context.signal);
      return { tasks: rows.map(claimedMessage) };
    },
    async renewLease(request) {
      const answer = await renewLease(deps, parseSession(request.session));
      return {
        lease: durationFromMs(answer.leaseSeconds * 1000),
        cancelled: answer.cancels.map((cancel) => ({ key: BigInt(cancel.task_id), fence: BigInt(cancel.fence) })),
      };
    },
    async completeTasks(request) {
      const stale = await completeTasks(
        deps,
        parseSession(request.session),
        request.completions.map(({ key, fence, result }) => ({
          taskKey: key.toString(),
          fence: fence.toString(),
          result: result && JSON.stringify(toJson(ValueSchema, result)),
        })),
      );
      return { stale: stale.map(claimMessage) };
    },
    async failTasks(request) {
      const stale = await failTasks(
        deps,
        parseSession(request.session),
        request.failures.map((failure) => ({
          taskKey: failure.key.toString(),
          fence: failure.fence.toString(),
          class: failure.class,
          message: failure.message,
          details: failure.details && JSON.stringify(failure.details),
          retryAfterMs: failure.retryAfter && millis(failure.retryAfter),
        })),
      );
      return { stale: stale.map(claimMessage) };
    },
    async listHeldTasks(request) {
      const claims = await listHeldTasks(deps, parseSession(request.session));
      return { claims: claims.map(({ taskKey, fence }) => ({ key: BigInt(taskKey), fence: BigInt(fence) })) };
    },
    async deregisterWorker(request) {
      await deregisterWorker(deps, parseSession(request.session));
      return { endedAt: timestampNow() };
    },
  };
}

/** Claims now, and while there is nothing, at every hint and every second until the wait is over. */
async function pollClaims(
  deps: Deps,
  wakeups: Wakeups,
  session: WorkerSession,
  limit: number,
  waitMs: number,
  signal: AbortSignal,
): Promise<WorkerClaim[]> {
  const end = performance.now() + waitMs;
  let rouse = () => {};
  let isHinted = false;
  const unsubscribe = wakeups.subscribe(() => {
    isHinted = true;
    rouse();
  });
  const onAbort = () => rouse();
  signal.addEventListener("abort", onAbort);
  try {
    for (;;) {
      isHinted = false;
      // A caller that has gone would never hear of what is claimed for it.
      if (signal.aborted) return [];
      const rows = await claimTasks(deps, session, limit);
      if (signal.aborted && rows.length > 0) {
        await failTasks(
          deps,
          session,
          rows.map(({ task_id: taskKey, fence }) => ({
            taskKey,
            fence,
            class: "released",
            message: "The caller had gone.",
          })),
        );
        return [];
      }
      const left = end - performance.now();
      if (rows.length > 0 || left <= 0) return rows;
      if (isHinted) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        rouse = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", onAbort);
  }
}

function claimedMessage(row: WorkerClaim) {
  return create(ClaimedTaskSchema, {
    id: row.name ?? formatTaskKey(BigInt(row.task_id)),
    key: BigInt(row.task_id),
    fence: BigInt(row.fence),
    attempt: row.attempt,
    type: row.type,
    class: row.class,
    ...(row.payload !== null && { payload: valueMessage(row.payload as Json) }),
    timeout: durationFromMs(row.timeout_seconds * 1000),
  });
}

function claimMessage({ taskKey, fence }: { taskKey: string; fence: string }) {
  return { key: BigInt(taskKey), fence: BigInt(fence) };
}
