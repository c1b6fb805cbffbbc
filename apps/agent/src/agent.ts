import type { Log } from "@drover/daemon/log";
import type { Metrics } from "@drover/daemon/metric";
import type { HeldClaim } from "@drover/db/node/register";
import type { Execution } from "@drover/domain/execution";
import { formatTaskKey } from "@drover/domain/task-id";
import { type Completer, createCompleter } from "@drover/worker/completer";
import { createWorkLoop } from "@drover/worker/loop";
import {
  claimKey,
  type Run,
  type RunOutcome,
  type RunRequest,
  type RunResult,
  type StopReason,
  type TaskExecutor,
} from "./executor/executor.ts";
import type { LlmAnswer } from "@drover/domain/workflow/llm-call";
import { createShippedLog, type LogShipperOptions, type ShippedLog } from "./log-shipper.ts";
import type { metrics as declarations } from "./metric.ts";
import type { NodeSource, Slots } from "./source.ts";

export interface AgentOptions {
  source: NodeSource;
  executors: TaskExecutor<AnyResult>[];
  slots: Slots;
  shipLogs: Omit<LogShipperOptions, "log">;
  graceSeconds: number;
  metrics: Metrics<typeof declarations>;
  /** Told when another agent registered under this node's name; this one has stopped its work then. */
  onSuperseded: () => void;
  log: Log;
}

export interface Agent {
  start(): Promise<void>;
  /** Takes up or reports lost what a former life still holds. Called at every registration. */
  takeUp(held: HeldClaim[]): void;
  /** Stops claiming. `drain`: waits for what runs until the deadline, then hands it back. `keep`: leaves containers running. */
  stop(mode: "drain" | "keep", deadline: AbortSignal): Promise<void>;
  /** Removes leftovers that no claim in hand names. */
  sweep(): Promise<void>;
  readonly isLeased: boolean;
  readonly inHand: number;
}

/** The agent of a node: the loop of packages/worker, with executors in place of handlers. */
export function createAgent({
  source,
  executors,
  slots,
  shipLogs,
  graceSeconds,
  metrics,
  onSuperseded,
  log,
}: AgentOptions): Agent {
  const hand = new Map<string, InHand>();
  const { handles } = metrics;
  let isStopping = false;
  let emptied: (() => void)[] = [];
  // The first sweep waits until what is held has been told and taken up.
  let isTakenUp = false;

  const completer: Completer = createCompleter({
    complete: source.complete,
    fail: source.fail,
    onStale: (taskKey) => {
      handles.stale.inc();
      log.warn({ task: taskKey }, "claim was no longer current; its result was dropped");
    },
    onError: (error) => log.warn({ error }, "a report did not get through; trying again"),
  });
  const loop = createWorkLoop<HeldClaim, Slots | undefined>({
    source,
    free() {
      if (isStopping || !isTakenUp) return undefined;
      const free = Object.fromEntries(Object.entries(slots).map(([name, count]) => [name, count - countClass(name)]));
      return Object.values(free).some((count) => count > 0) ? free : undefined;
    },
    start: (claim) => begin(claim),
    cancel({ taskKey, fence }) {
      void hand.get(`${taskKey}-${fence}`)?.run?.stop("cancelled");
    },
    holds: (claim) => !isTakenUp || hand.has(claimKey(claim)),
    loseAll: () => void stopAll("lease_lost"),
    onSuperseded,
    graceMs: (graceSeconds + 2) * 1000,
    log,
  });
  const countClass = (name: string) => hand.values().reduce((sum, one) => sum + Number(one.class === name), 0);

  function begin(claim: HeldClaim): void {
    const request = requestOf(claim);
    const executor = executors.find((one) => one.name === claim.executor);
    const shipped = createShippedLog(request, { ...shipLogs, log });
    const one: InHand = { class: claim.class, executor: claim.executor, shipped };
    hand.set(claimKey(request), one);
    handles.running.set({ class: claim.class }, countClass(claim.class));
    if (executor === undefined) {
      const message = `This node has no executor "${claim.executor}".`;
      void finish(request, one, Promise.resolve({ state: "failed", errorClass: "released", message }));
      return;
    }
    log.info({ task: request.taskId, attempt: request.attempt, executor: claim.executor }, "attempt started");
    one.run = executor.start(request, shipped);
    void finish(request, one, one.run.outcome);
  }

  async function finish(request: RunRequest, one: InHand, outcome: Promise<RunOutcome<AnyResult>>): Promise<void> {
    const startedAt = performance.now();
    const end = await outcome;
    if (one.isKept) return;
    await one.shipped.end();
    handles.ended.inc({ executor: one.executor, outcome: end.state === "completed" ? "completed" : end.errorClass });
    handles.seconds.observe({ executor: one.executor }, (performance.now() - startedAt) / 1000);
    const error = end.state === "failed" ? end.errorClass : undefined;
    log.info({ task: request.taskId, attempt: request.attempt, state: end.state, error }, "attempt ended");
    const done = () => {
      hand.delete(claimKey(request));
      handles.running.set({ class: one.class }, countClass(one.class));
      if (hand.size === 0) for (const resolve of emptied.splice(0)) resolve();
      loop.nudge();
    };
    const { taskKey, fence } = request;
    const result = end.result && JSON.stringify(end.result);
    if (end.state === "completed") completer.complete({ taskKey, fence, result }, done);
    else {
      const { errorClass, message, retryAfterMs } = end;
      const details = end.details && JSON.stringify(end.details);
      completer.fail({ taskKey, fence, class: errorClass, message, details, result, retryAfterMs }, done);
    }
  }

  async function takeUp(held: HeldClaim[]): Promise<void> {
    const strangers = held.filter((claim) => !hand.has(claimKey(requestOf(claim))));
    for (const executor of executors) {
      const ours = strangers.filter((claim) => claim.executor === executor.name);
      const logs = new Map<string, ShippedLog>();
      const runs = await executor.adopt(
        ours.map((claim) => ({
          ...requestOf(claim),
          request: requestOf(claim),
          ...(claim.log_until_ms && { logsSince: new Date(claim.log_until_ms + 1) }),
        })),
        (request) => {
          const claim = ours.find((one) => one.task_id === request.taskKey);
          const shipped = createShippedLog(request, { ...shipLogs, log }, (claim?.log_chunk ?? -1) + 1);
          logs.set(claimKey(request), shipped);
          return shipped;
        },
      );
      for (const claim of ours) {
        const request = requestOf(claim);
        const run = runs.find((one) => claimKey(one) === claimKey(request));
        const shipped = logs.get(claimKey(request)) ?? createShippedLog(request, { ...shipLogs, log });
        const one: InHand = { class: claim.class, executor: claim.executor, shipped, ...(run && { run }) };
        hand.set(claimKey(request), one);
        if (run)
          log.info({ task: request.taskId, attempt: request.attempt }, "took up an attempt that was still running");
        void finish(request, one, run?.outcome ?? Promise.resolve(missing));
      }
    }
    isTakenUp = true;
    loop.nudge();
  }

  const stopAll = async (reason: StopReason) => {
    await Promise.all(hand.values().map(async (one) => one.run?.stop(reason)));
  };
  const untilEmpty = () =>
    hand.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => emptied.push(resolve));

  return {
    start: () => loop.start(),
    takeUp(held) {
      takeUp(held).catch((error: unknown) => {
        log.error({ error }, "what this node held could not be taken up; trying again");
        setTimeout(() => this.takeUp(held), 2000).unref();
      });
    },
    async stop(mode, deadline) {
      isStopping = true;
      await source
        .drain()
        .catch((error: unknown) => log.warn({ error }, "the control plane was not told of the drain"));
      if (mode === "keep") {
        for (const one of hand.values()) if (one.executor === "docker") one.isKept = true;
        for (const [key, one] of hand) if (one.isKept) hand.delete(key);
      }
      const late = () => void stopAll("drained");
      if (deadline.aborted || mode === "keep") late();
      else deadline.addEventListener("abort", late, { once: true });
      // The loop goes on renewing the lease until nothing is in hand.
      await untilEmpty();
      await loop.stop();
      await completer.drain();
      if (mode === "drain") await source.leave();
    },
    async sweep() {
      if (!isTakenUp) return;
      for (const executor of executors) {
        const { removed } = await executor.sweep(new Set(hand.keys()));
        handles.swept.inc(removed.length);
        if (removed.length > 0) log.info({ removed }, "removed leftovers");
      }
    },
    get isLeased() {
      return loop.isLeased;
    },
    get inHand() {
      return hand.size;
    },
  };
}

type AnyResult = RunResult | LlmAnswer;

interface InHand {
  class: string;
  executor: string;
  shipped: ShippedLog;
  run?: Run<AnyResult>;
  /** Left running for the next life of this agent, which will report it. */
  isKept?: boolean;
}

const missing: RunOutcome = {
  state: "failed",
  errorClass: "agent_restarted",
  message: "The agent was started anew and found nothing of this attempt.",
};

function requestOf(claim: HeldClaim): RunRequest {
  return {
    taskKey: claim.task_id,
    fence: claim.fence,
    attempt: claim.attempt,
    taskId: claim.name ?? formatTaskKey(BigInt(claim.task_id)),
    namespace: claim.namespace,
    class: claim.class,
    // Written by our own submit operation, which took it from a checked request.
    execution: claim.execution as Execution,
    payload: claim.payload,
    timeoutSeconds: claim.timeout_seconds,
    ...(claim.grant && { grant: claim.grant }),
  };
}
