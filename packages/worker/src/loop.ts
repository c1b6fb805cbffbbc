import { backoffMs } from "@drover/daemon/backoff";
import type { Log } from "@drover/daemon/log";
import { createLeaseClock } from "./lease-clock.ts";
import type { CancelRequest, Source, Superseded } from "./source.ts";

export interface WorkLoopOptions<C, Free> {
  source: Source<C, Free>;
  /** What could be taken now; undefined: nothing, poll only to keep the lease. */
  free: () => Free | undefined;
  /** Takes a claim in hand; must not throw. */
  start: (claim: C) => void;
  cancel: (request: CancelRequest) => void;
  /** Whether a claim is in hand or being settled. */
  holds: (claim: { taskKey: string; fence: string }) => boolean;
  /** The lease is over, or will be before a renewal can come: all that may not run on without it must stop. */
  loseAll: () => void;
  /** Another process took the name over, or the control plane refuses this one: it has stopped polling for good. */
  onSuperseded?: () => void;
  /** The longest time that stopping work takes. */
  graceMs: number;
  log: Log;
  now?: () => number;
}

export interface WorkLoop {
  start(): Promise<void>;
  /** Something may be ready: poll without waiting for the interval. */
  nudge(): void;
  /** Room was freed: worth a poll only where the last one was short of it. */
  freed(): void;
  /** Ends polling; what is in hand stays in hand. Resolves when no poll is under way. */
  stop(): Promise<void>;
  readonly isLeased: boolean;
}

/**
 * claim -> run -> complete, seen from the holder; two of its lives cannot overlap.
 *
 *   registering --lease--> polling --fenced: the lease ran out--> registering
 *                                  --superseded: another process has the name, or this one is refused--> stopped
 *
 * A poll renews the lease, takes what there is room for, and says when to come back; a hint or freed room shortens the
 * wait. The lease is watched by a timer of its own, which also fires while a poll hangs: when it runs out, work in hand
 * is stopped before the control plane may hand it on (tasks of nodes may have a policy that says otherwise).
 */
export function createWorkLoop<C, Free>(options: WorkLoopOptions<C, Free>): WorkLoop {
  const { source, log, now = () => performance.now() } = options;
  const lease = createLeaseClock({ graceMs: options.graceMs, now });
  let isStopping = false;
  let isLeased = false;
  let isNudged = false;
  let isShortOfRoom = false;
  let isUncertain = false;
  let rouse = () => {};
  let watchdog: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let unsubscribe = () => {};

  const lose = (why: string) => {
    if (!isLeased) return;
    isLeased = false;
    clearTimeout(watchdog);
    log.warn({ why }, "lease lost");
    options.loseAll();
  };
  const renewed = (sentAt: number, leaseSeconds: number) => {
    lease.renewed(sentAt, leaseSeconds);
    isLeased = true;
    clearTimeout(watchdog);
    watchdog = setTimeout(() => lose("it could not be renewed in time"), Math.max(0, lease.remainingMs()));
    watchdog.unref();
  };
  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      if (isNudged || isStopping) return resolve();
      const timer = setTimeout(resolve, ms);
      rouse = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const end = ({ why = "another process registered under this name" }: Superseded): number => {
    lose(why);
    isStopping = true;
    options.onSuperseded?.();
    return 0;
  };

  async function round(): Promise<number> {
    if (!isLeased) {
      const sentAt = now();
      const life = await source.register();
      if ("status" in life) return end(life);
      renewed(sentAt, life.leaseSeconds);
      log.info({ leaseSeconds: life.leaseSeconds }, "registered");
    }
    if (isUncertain) {
      await handBackUnknown();
      isUncertain = false;
    }
    const sentAt = now();
    const free = options.free();
    isShortOfRoom = free === undefined;
    const answer = await source.poll(free as Free);
    if (answer.status === "superseded") return end(answer);
    if (answer.status === "fenced") {
      lose("it had run out");
      return 250;
    }
    // A lease that ran out meanwhile stays lost, though the server may have renewed it: nobody here has its tasks in hand
    // any more, and only a new life tells the server so.
    if (isLeased && answer.leaseSeconds !== undefined) renewed(sentAt, answer.leaseSeconds);
    if (lease.remainingMs() <= 0) lose("its end came before the answer");
    if (!isLeased) return 0;
    isShortOfRoom ||= answer.hasMore;
    for (const claim of answer.claims) options.start(claim);
    for (const request of answer.cancels) options.cancel(request);
    return answer.hasMore && options.free() !== undefined ? 0 : answer.nextPollMs;
  }

  /** An answer that was lost may have carried claims: nobody runs those, so they go back at once. */
  async function handBackUnknown(): Promise<void> {
    const unknown = (await source.held()).filter((claim) => !options.holds(claim));
    if (unknown.length === 0) return;
    log.warn({ claims: unknown.length }, "handing back claims whose answer was lost");
    await source.fail(
      unknown.map((claim) => ({ ...claim, class: "released", message: "The answer that carried the claim was lost." })),
    );
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!isStopping) {
      isNudged = false;
      let waitMs: number;
      try {
        waitMs = await round();
        failures = 0;
      } catch (error) {
        failures += 1;
        isUncertain = isLeased;
        waitMs = backoffMs(failures, { baseMs: 100, capMs: 2000 });
        log.warn({ error, failures, waitMs: Math.round(waitMs) }, "the control plane does not answer; trying again");
        isNudged = false;
      }
      if (waitMs > 0) await wait(waitMs);
    }
  }

  const nudge = () => {
    isNudged = true;
    rouse();
  };
  return {
    async start() {
      unsubscribe = source.subscribe(nudge);
      running = run();
    },
    nudge,
    freed() {
      if (isShortOfRoom) nudge();
    },
    async stop() {
      isStopping = true;
      unsubscribe();
      nudge();
      await running;
      clearTimeout(watchdog);
    },
    get isLeased() {
      return isLeased;
    },
  };
}
