import type { Log } from "@drover/daemon/log";
import type { Metrics } from "@drover/daemon/metric";
import type { HeldClaim } from "@drover/db/node/register";
import { type Completer, createCompleter } from "@drover/worker/completer";
import { createWorkLoop } from "@drover/worker/loop";
import { type FindGpu, missingGpus, outlivesLease, requestOf } from "./claim.ts";
import { claimKey, type RunOutcome, type StopReason, type TaskExecutor } from "./executor/executor.ts";
import { startAfter } from "./executor/start-after.ts";
import type { FoundGpu } from "./gpu/found.ts";
import type { GpuWatch } from "./gpu/watch.ts";
import { createHand } from "./hand.ts";
import { attach, type AnyResult, type InHand, judge, keyOf, missing, sinkOf, stopOne } from "./in-hand.ts";
import type { LogShipperOptions } from "./log-shipper.ts";
import type { metrics as declarations } from "./metric.ts";
import { createReportGate } from "./report-gate.ts";
import type { NodeSource, Slots } from "./source.ts";

export interface AgentOptions {
  source: NodeSource;
  executors: TaskExecutor<AnyResult>[];
  slots: () => Slots;
  /** The GPUs of this host, where it has any. */
  gpus?: { list: () => readonly FoundGpu[]; watch: Pick<GpuWatch, "hold"> };
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
  gpus,
  shipLogs: { append, ...shipOptions },
  graceSeconds,
  metrics,
  onSuperseded,
  log,
}: AgentOptions): Agent {
  const { handles } = metrics;
  let isStopping = false;
  // The first sweep waits until what is held has been told and taken up.
  let isTakenUp = false;
  let isSuperseded = false;
  let registrations = 0;

  const gate = createReportGate({
    isLeased: () => loop.isLeased,
    epoch: () => source.epoch,
    isOver: () => isSuperseded,
  });
  const hasStale = (stale: string[]) => stale.length > 0;
  const completer: Completer = createCompleter({
    complete: (batch) => gate(() => source.complete(batch), hasStale),
    fail: (batch) => gate(() => source.fail(batch), hasStale),
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
      const free = Object.fromEntries(
        Object.entries(slots()).map(([name, count]) => [name, count - hand.countOf(name)]),
      );
      return Object.values(free).some((count) => count > 0) ? free : undefined;
    },
    start: (claim) => begin(claim),
    cancel({ taskKey, fence, kind = "cancelled" }) {
      const one = hand.get(`${taskKey}-${fence}`);
      if (one) void stopOne(one, kind);
    },
    holds: (claim) => !isTakenUp || hand.get(claimKey(claim)) !== undefined,
    loseAll: () => void stopAll("lease_lost", ({ request }) => !outlivesLease(request)),
    onSuperseded() {
      isSuperseded = true;
      void stopAll("lease_lost");
      onSuperseded();
    },
    graceMs: (graceSeconds + 2) * 1000,
    log,
  });

  const findGpu: FindGpu = (uuid) => gpus?.list().find((gpu) => gpu.uuid === uuid);
  const ship: LogShipperOptions = {
    ...shipOptions,
    append: (...chunk) =>
      gate(
        () => append(...chunk),
        (isStored) => !isStored,
      ),
    log,
  };

  const hand = createHand({
    findGpu,
    gpuWatch: gpus?.watch,
    ship,
    onCount: (name, count) => handles.running.set({ class: name }, count),
  });

  function begin(claim: HeldClaim): void {
    const one = hand.hold(claim);
    const { request } = one;
    const executor = executors.find((candidate) => candidate.name === claim.executor);
    if (executor === undefined) {
      const message = `This node has no executor "${claim.executor}".`;
      return void finish(one, Promise.resolve({ state: "failed", errorClass: "released", message }));
    }
    const unusable = gpus && missingGpus(claim, findGpu);
    if (unusable !== undefined)
      return void finish(one, Promise.resolve({ state: "failed", errorClass: "gpu_lost", message: unusable }));
    log.info({ task: request.taskId, attempt: request.attempt, executor: claim.executor }, "attempt started");
    // What went to another holder while this node was cut off may still be on its way out.
    const others = hand.all().filter((other) => other !== one && other.places.some((p) => one.places.includes(p)));
    const endings = others.map(({ ended }) => ended.promise);
    const run = startAfter(endings, request, () => executor.start(request, sinkOf(one)));
    attach(one, run);
    void finish(one, run.outcome);
  }

  async function finish(one: InHand, outcome: Promise<RunOutcome<AnyResult>>): Promise<void> {
    const { request } = one;
    const startedAt = performance.now();
    const end = await judge(one, await outcome);
    one.ended.resolve();
    one.gpu?.release();
    if (one.isKept) return;
    await one.shipped.end();
    handles.ended.inc({ executor: one.executor, outcome: end.state === "completed" ? "completed" : end.errorClass });
    handles.seconds.observe({ executor: one.executor }, (performance.now() - startedAt) / 1000);
    const error = end.state === "failed" ? end.errorClass : undefined;
    log.info({ task: request.taskId, attempt: request.attempt, state: end.state, error }, "attempt ended");
    const done = () => {
      hand.drop(one);
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

  async function takeUp(held: HeldClaim[], registration: number): Promise<void> {
    const strangers = held.filter((claim) => hand.get(keyOf(claim)) === undefined);
    for (const executor of executors) {
      const ours = strangers.filter((claim) => claim.executor === executor.name);
      if (ours.length === 0) continue;
      const taken = new Map<string, InHand>();
      const runs = await executor.adopt(
        ours.map((claim) => {
          const request = requestOf(claim, findGpu);
          return { ...request, request, ...(claim.log_until_ms && { logsSince: new Date(claim.log_until_ms + 1) }) };
        }),
        (request) => {
          const claim = ours.find((one) => keyOf(one) === claimKey(request));
          const one = claim && hand.hold(claim, (claim.log_chunk ?? -1) + 1);
          if (one) taken.set(claimKey(request), one);
          return one ? sinkOf(one) : { write: () => {} };
        },
      );
      for (const run of runs) {
        const one = taken.get(claimKey(run));
        if (one === undefined) continue;
        attach(one, run);
        log.info({ task: one.request.taskId, attempt: one.request.attempt }, "took up an attempt that still ran");
        void finish(one, run.outcome);
      }
      // What this node holds was told anew, and is taken up by that round.
      if (registration !== registrations) return;
      for (const claim of ours) if (!taken.has(keyOf(claim))) void finish(hand.hold(claim), Promise.resolve(missing));
    }
    // What nobody holds any more may sit on GPUs that were given to others.
    if (gpus && gpus.list().length > 0) await sweep();
    isTakenUp = registration === registrations;
    loop.nudge();
  }

  async function sweep(): Promise<void> {
    for (const executor of executors) {
      const { removed } = await executor.sweep(hand.keys());
      handles.swept.inc(removed.length);
      if (removed.length > 0) log.info({ removed }, "removed leftovers");
    }
  }

  const stopAll = async (reason: StopReason, isMeant: (one: InHand) => boolean = () => true) => {
    await Promise.all(hand.all().map(async (one) => isMeant(one) && stopOne(one, reason)));
  };

  return {
    start: () => loop.start(),
    takeUp(held) {
      registrations += 1;
      isTakenUp = false;
      const ours = new Set(held.map(keyOf));
      // What ran on without a lease and was given to another holder meanwhile.
      void stopAll("lease_lost", ({ request }) => !ours.has(claimKey(request)));
      const registration = registrations;
      const attempt = () => {
        if (registration !== registrations) return;
        takeUp(held, registration).catch((error: unknown) => {
          log.error({ error }, "what this node held could not be taken up; trying again");
          setTimeout(attempt, 2000).unref();
        });
      };
      attempt();
    },
    async stop(mode, deadline) {
      isStopping = true;
      await source
        .drain()
        .catch((error: unknown) => log.warn({ error }, "the control plane was not told of the drain"));
      if (mode === "keep") {
        for (const one of hand.all().filter(({ executor }) => executor === "docker")) {
          one.isKept = true;
          hand.drop(one);
        }
      }
      const late = () => void stopAll("drained");
      if (deadline.aborted || mode === "keep") late();
      else deadline.addEventListener("abort", late, { once: true });
      // The loop goes on renewing the lease until nothing is in hand.
      await hand.untilEmpty();
      await loop.stop();
      await completer.drain();
      if (mode === "drain") await source.leave();
    },
    async sweep() {
      if (isTakenUp) await sweep();
    },
    get isLeased() {
      return loop.isLeased;
    },
    get inHand() {
      return hand.size;
    },
  };
}
