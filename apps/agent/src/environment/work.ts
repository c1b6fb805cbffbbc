import { type Clock, systemClock } from "@drover/daemon/clock";
import type { Log } from "@drover/daemon/log";
import type { WantedReplica } from "@drover/db/node/replica";
import type { ReplicaAction } from "@drover/domain/environment/replica-memory";
import type { PullState } from "../docker/pull-progress.ts";
import { type JobDeps, type JobResult, runJob } from "./job.ts";

export interface Done {
  action: ReplicaAction;
  result: JobResult;
  seconds: number;
}

export interface WorkOptions extends JobDeps {
  /** Something is done; what it came to the next look tells. */
  onDone: (wanted: WantedReplica, done: Done) => void;
  /** A pull moved on. */
  onProgress: () => void;
  log: Log;
  clock?: Clock;
}

/** What is being done for replicas and with containers that nobody asks for: one thing at a time for each. */
export interface Work {
  begin(wanted: WantedReplica, action: ReplicaAction): void;
  /** Ends a container that no replica asks for. */
  endStray(action: ReplicaAction, graceSeconds: number): void;
  /** Keys of replicas and of containers. */
  readonly busy: ReadonlySet<string>;
  /** How many containers are being created or started. */
  readonly starts: number;
  pullOf(replicaId: string): { text: string; percent: number } | undefined;
  stop(): void;
}

/** After an answer that did not come, or an end that could not be had: not again at once. */
const restMs = 1000;

/** Starts and keeps count of the jobs. */
export function createWork({ onDone, onProgress, log, clock = systemClock, ...deps }: WorkOptions): Work {
  const jobs = new Map<string, ReplicaAction["kind"]>();
  const pulls = new Map<string, { text: string; percent: number }>();
  const stopping = new AbortController();

  const rest = (key: string, then: () => void) => {
    clock.after(restMs, () => {
      jobs.delete(key);
      then();
    });
  };

  const onPull =
    (id: string) =>
    (text: string, { currentBytes, totalBytes }: PullState) => {
      const percent = totalBytes > 0 ? Math.min(99, Math.floor((currentBytes * 100) / totalBytes)) : 0;
      pulls.set(id, { text, percent });
      onProgress();
    };

  async function run(wanted: WantedReplica, action: ReplicaAction): Promise<void> {
    const { id, environment, service, number } = wanted;
    const facts = { replica: id, environment, service, number, action: action.kind };
    const startedAt = clock.now();
    const context = { onPull: onPull(id), signal: stopping.signal };
    const result = await runJob(deps, wanted, action, context).catch((error: unknown): JobResult => ({
      kind: "failed",
      message: `The node could not do it: ${String(error)}`,
    }));
    pulls.delete(id);
    const seconds = (clock.now() - startedAt) / 1000;
    if (result.kind === "done") log.info({ ...facts, seconds: Math.round(seconds * 1000) / 1000 }, "replica");
    else log.warn({ ...facts, [result.kind]: result.message }, "replica");
    const isEnd = action.kind === "stop" || action.kind === "remove";
    const tell = () => onDone(wanted, { action, result, seconds });
    if (result.kind === "unknown" || (isEnd && result.kind === "failed")) {
      rest(id, tell);
      return;
    }
    jobs.delete(id);
    tell();
  }

  return {
    begin(wanted, action) {
      jobs.set(wanted.id, action.kind);
      void run(wanted, action);
    },
    endStray(action, graceSeconds) {
      if (action.kind !== "stop" && action.kind !== "remove") return;
      const { containerId: id, kind } = action;
      jobs.set(id, kind);
      const { engine } = deps;
      void (kind === "stop" ? engine.stop(id, graceSeconds) : engine.remove(id)).then((answer) => {
        log.info({ container: id, action: kind, ...(!answer.ok && { failed: answer.message }) }, "nobody asks for it");
        if (!answer.ok) return rest(id, onProgress);
        jobs.delete(id);
        onProgress();
      });
    },
    get busy() {
      return new Set(jobs.keys());
    },
    get starts() {
      return jobs.values().reduce((sum, kind) => sum + Number(kind === "create" || kind === "start"), 0);
    },
    pullOf: (id) => pulls.get(id),
    stop: () => stopping.abort(new Error("The agent stops.")),
  };
}
