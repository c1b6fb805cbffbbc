import type { Log } from "@drover/daemon/log";
import type { Json } from "@drover/domain/json";
import { createCompleter } from "./completer.ts";
import { createWorkLoop } from "./loop.ts";
import type { Claim, Source } from "./source.ts";

/** What a handler learns besides the payload. */
export interface TaskContext {
  taskId: string;
  attempt: number;
  class: string;
  type: string;
  /** Aborts when the task is cancelled, times out, or the lease is lost; a handler should then end soon. */
  readonly signal: AbortSignal;
}

/** Runs one task; what it returns is the result, what it throws fails the attempt. */
export type Handler = (payload: Json, context: TaskContext) => Promise<Json | void> | Json | void;

/** Thrown by a handler to say more than a message: a class for the retry policy, a time, details. */
export class TaskFailure extends Error {
  override readonly name = "TaskFailure";
  readonly errorClass: string;
  readonly retryAfterMs: number | undefined;
  readonly details: Json | undefined;

  constructor(
    errorClass: string,
    message: string,
    options: { retryAfterMs?: number; details?: Json; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.errorClass = errorClass;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }
}

export interface WorkerOptions {
  source: Source<Claim, number | undefined>;
  /** By task type; "*" takes the types without a handler of their own. */
  handlers: Record<string, Handler>;
  /** How many handlers run at once. */
  concurrency?: number;
  /** How many tasks may lie ready beside those that run; they are handed back when the worker stops. */
  prefetch?: number;
  /** Told when another worker registered under this name; this one has stopped then. */
  onSuperseded?: () => void;
  log: Log;
}

export interface Worker {
  start(): Promise<void>;
  /** Stops claiming, hands back what has not begun, waits for handlers until the deadline, then aborts them. */
  stop(deadline?: AbortSignal): Promise<void>;
  /** Tasks taken and not settled yet. */
  readonly inHand: number;
}

/** A worker of the SDK: claims tasks of its types in batches, runs their handlers, reports in batches. */
export function createWorker({
  source,
  handlers,
  concurrency = 16,
  prefetch = 0,
  onSuperseded,
  log,
}: WorkerOptions): Worker {
  const queue: Claim[] = [];
  const runs = new Map<string, Run>();
  const inSettlement = new Set<string>();
  let isStopping = false;
  let emptied: (() => void)[] = [];

  const completer = createCompleter({
    complete: source.complete,
    fail: source.fail,
    onStale: (taskKey) => log.warn({ taskKey }, "claim was no longer current; its result was dropped"),
    onError: (error) => log.warn({ error }, "a report did not get through; trying again"),
  });
  const loop = createWorkLoop<Claim, number | undefined>({
    source,
    // While a good part of what was fetched still waits here, there is no need to ask for more.
    free: () =>
      queue.length > prefetch / 2 || isStopping
        ? undefined
        : concurrency + prefetch - queue.length - runs.size || undefined,
    start(claim) {
      queue.push(claim);
      pump();
    },
    cancel(request) {
      runs.get(request.taskKey)?.abort("cancelled");
      const waiting = queue.findIndex((claim) => claim.taskKey === request.taskKey);
      const [claim] = waiting < 0 ? [] : queue.splice(waiting, 1);
      if (claim)
        settle(claim, (done) => completer.fail({ ...claim, class: "cancelled", message: request.reason }, done));
    },
    holds: ({ taskKey, fence }) =>
      inSettlement.has(`${taskKey} ${fence}`) ||
      runs.get(taskKey)?.fence === fence ||
      queue.some((claim) => claim.fence === fence),
    loseAll() {
      queue.length = 0;
      completer.abandon();
      for (const run of runs.values()) run.abort("lease_lost");
    },
    ...(onSuperseded && { onSuperseded }),
    graceMs: 2000,
    log,
  });

  const settle = ({ taskKey, fence }: { taskKey: string; fence: string }, report: (done: () => void) => void) => {
    const name = `${taskKey} ${fence}`;
    inSettlement.add(name);
    report(() => {
      inSettlement.delete(name);
      tellEmpty();
    });
  };
  const tellEmpty = () => {
    if (inSettlement.size === 0 && runs.size === 0) for (const resolve of emptied.splice(0)) resolve();
  };

  function pump(): void {
    while (runs.size < concurrency && !isStopping) {
      const claim = queue.shift();
      if (claim === undefined) break;
      const run = createRun(claim);
      runs.set(claim.taskKey, run);
      void execute(claim, run);
    }
    if (queue.length <= prefetch / 2 && !isStopping) loop.freed();
  }

  async function execute(claim: Claim, run: Run): Promise<void> {
    let report: (done: () => void) => void;
    const { taskKey, fence } = claim;
    try {
      const handler = handlers[claim.type] ?? handlers["*"];
      if (handler === undefined)
        throw new TaskFailure("no_handler", `This worker has no handler for type "${claim.type}".`);
      const pending = handler(claim.payload, run.context);
      const value = pending instanceof Promise ? await pending : pending;
      const result = value === undefined ? undefined : JSON.stringify(value);
      report = (done) => completer.complete({ taskKey, fence, result }, done);
    } catch (error) {
      const failure = { taskKey, fence, ...describeFailure(error, run.stopped) };
      report = (done) => completer.fail(failure, done);
    }
    run.end();
    runs.delete(taskKey);
    // After the lease is lost nobody waits for a report.
    if (run.stopped === "lease_lost") tellEmpty();
    else settle(claim, report);
    pump();
  }

  return {
    start: () => loop.start(),
    async stop(deadline) {
      isStopping = true;
      await loop.stop();
      for (const claim of queue.splice(0))
        settle(claim, (done) => completer.fail({ ...claim, class: "released", message: "The worker stopped." }, done));
      deadline?.addEventListener("abort", () => runs.forEach((run) => run.abort("drained")), { once: true });
      if (deadline?.aborted) for (const run of runs.values()) run.abort("drained");
      if (runs.size + inSettlement.size > 0) await new Promise<void>((resolve) => emptied.push(resolve));
      await completer.drain();
      await source.leave();
    },
    get inHand() {
      return queue.length + runs.size + inSettlement.size;
    },
  };
}

interface Run {
  readonly fence: string;
  readonly context: TaskContext;
  readonly stopped: string | undefined;
  abort(reason: string): void;
  end(): void;
}

/** The signal is made when a handler first asks for it: most never do, and making one costs more than a no-op task. */
function createRun(claim: Claim): Run {
  let controller: AbortController | undefined;
  let stopped: string | undefined;
  const abort = (reason: string) => {
    stopped ??= reason;
    controller?.abort(new TaskFailure(stopped, `The task was stopped: ${stopped}.`));
  };
  const timer = setLongTimeout(() => abort("timeout"), claim.timeoutSeconds * 1000);
  return {
    fence: claim.fence,
    context: {
      taskId: claim.taskId,
      attempt: claim.attempt,
      class: claim.class,
      type: claim.type,
      get signal() {
        controller ??= new AbortController();
        if (stopped !== undefined) abort(stopped);
        return controller.signal;
      },
    },
    get stopped() {
      return stopped;
    },
    abort,
    end: () => clearTimeout(timer),
  };
}

/** Node's timers end at 2^31 ms; a longer wait is longer than any lease anyway. */
function setLongTimeout(run: () => void, ms: number): NodeJS.Timeout {
  return setTimeout(run, Math.min(ms, 2 ** 31 - 1)).unref();
}

function describeFailure(error: unknown, stopped: string | undefined) {
  if (stopped !== undefined) return { class: stopped, message: `The task was stopped: ${stopped}.` };
  if (error instanceof TaskFailure) {
    return {
      class: error.errorClass,
      message: error.message,
      details: error.details === undefined ? undefined : JSON.stringify(error.details),
      retryAfterMs: error.retryAfterMs,
    };
  }
  return { class: "error", message: error instanceof Error ? error.message : String(error) };
}
