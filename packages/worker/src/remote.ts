import { fromJson, toJson } from "@bufbuild/protobuf";
import { durationFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { DroverError } from "@drover/domain/error";
import type { Json } from "@drover/domain/json";
import { WorkerService } from "@drover/proto/drover/worker";
import type { CancelRequest, Claim, Source } from "./source.ts";

export interface RemoteSourceOptions {
  /** To any API replica, in any of its protocols. */
  transport: Transport;
  name: string;
  types: string[];
  /** Undefined: every class. */
  classes?: string[];
  /** How long a claim waits at the server for tasks to come. */
  waitMs?: number;
  now?: () => number;
}

/** A worker's source over RPC, for workers that cannot reach Postgres. */
export function createRemoteSource({
  transport,
  name,
  types,
  classes = [],
  waitMs = 20_000,
  now = () => performance.now(),
}: RemoteSourceOptions): Source<Claim, number | undefined> {
  const client = createClient(WorkerService, transport);
  const hints = new Set<() => void>();
  let session = "";
  let leaseMs = 30_000;
  let renewAt = 0;
  let leaving = new AbortController();

  return {
    async register() {
      const registered = await client.registerWorker({ name, types, classes }).catch(rethrow);
      session = registered.session;
      leaseMs = Number(registered.lease?.seconds ?? 30n) * 1000;
      renewAt = now() + leaseMs / 3;
      leaving = new AbortController();
      return { leaseSeconds: leaseMs / 1000 };
    },
    async poll(free) {
      try {
        if (now() >= renewAt) {
          const { cancelled } = await client.renewLease({ session });
          renewAt = now() + leaseMs / 3;
          const cancels: CancelRequest[] = cancelled.map(({ key, fence }) => ({
            taskKey: key.toString(),
            fence: fence.toString(),
            reason: "Cancelled.",
          }));
          // Told at once: a claim that waits at the server may outlast what was left of the lease before.
          return { status: "ok", leaseSeconds: leaseMs / 1000, claims: [], cancels, nextPollMs: 0, hasMore: false };
        }
        const untilRenewal = Math.max(0, renewAt - now());
        if (free === undefined || free <= 0) {
          return { status: "ok", claims: [], cancels: [], nextPollMs: untilRenewal, hasMore: false };
        }
        // The claim renews the lease as well, at the moment the server takes it up.
        const { tasks } = await client.claimTasks(
          {
            session,
            maxTasks: Math.min(free, 10_000),
            wait: durationFromMs(Math.floor(Math.min(waitMs, untilRenewal))),
          },
          { signal: leaving.signal },
        );
        return {
          status: "ok",
          claims: tasks.map((task) => ({
            taskKey: task.key.toString(),
            fence: task.fence.toString(),
            attempt: task.attempt,
            taskId: task.id,
            class: task.class,
            type: task.type,
            timeoutSeconds: Number(task.timeout?.seconds ?? 1800n),
            payload: task.payload === undefined ? null : toJson(ValueSchema, task.payload),
          })),
          cancels: [],
          nextPollMs: 0,
          hasMore: true,
        };
      } catch (error) {
        if (leaving.signal.aborted) return { status: "ok", claims: [], cancels: [], nextPollMs: 0, hasMore: false };
        if (error instanceof ConnectError && error.code === Code.NotFound) return { status: "fenced" };
        if (error instanceof ConnectError && error.code === Code.FailedPrecondition) return { status: "superseded" };
        return rethrow(error);
      }
    },
    async complete(batch) {
      const completions = batch.map(({ taskKey, fence, result }) => ({
        key: BigInt(taskKey),
        fence: BigInt(fence),
        ...(result !== undefined && { result: fromJson(ValueSchema, JSON.parse(result) as Json) }),
      }));
      const { stale } = await client.completeTasks({ session, completions }).catch(rethrow);
      return stale.map(({ key }) => key.toString());
    },
    async fail(batch) {
      const failures = batch.map((failure) => ({
        key: BigInt(failure.taskKey),
        fence: BigInt(failure.fence),
        class: failure.class,
        message: failure.message,
        ...(failure.details !== undefined && { details: asObject(JSON.parse(failure.details) as Json) }),
        ...(failure.retryAfterMs !== undefined && { retryAfter: durationFromMs(Math.round(failure.retryAfterMs)) }),
      }));
      const { stale } = await client.failTasks({ session, failures }).catch(rethrow);
      return stale.map(({ key }) => key.toString());
    },
    async held() {
      const { claims } = await client.listHeldTasks({ session }).catch(rethrow);
      return claims.map(({ key, fence }) => ({ taskKey: key.toString(), fence: fence.toString() }));
    },
    async leave() {
      if (session !== "") await client.deregisterWorker({ session }).catch(rethrow);
    },
    subscribe(listener) {
      hints.add(listener);
      return () => {
        hints.delete(listener);
        // A claim that waits at the server must not hold up a stop.
        leaving.abort();
      };
    },
  };
}

function asObject(value: Json): { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : { value };
}

const transient = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Aborted,
  Code.ResourceExhausted,
  Code.Canceled,
]);

function rethrow(error: unknown): never {
  if (error instanceof ConnectError && transient.has(error.code)) {
    throw new DroverError("unavailable", `The control plane does not answer right now: ${error.rawMessage}`, {
      cause: error,
    });
  }
  throw error;
}
