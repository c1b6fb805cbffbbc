import {
  type ContestantName,
  type Job,
  type JobWorker,
  loadContestant,
  type Producer,
  type Profile,
  type RunStarter,
} from "./contestant.ts";
import { inFlight, nowMs, ownCpuMicros } from "./measure.ts";

/** What a worker process has done so far. */
export interface WorkerState {
  count: number;
  firstAt: number;
  lastAt: number;
  at: number;
  cpuMicros: number;
  /** When the count passed each of the marks that were asked for. */
  marks: number[];
}

/** What a parent may ask of a child process: a producer of jobs or a worker. */
export type Commands = ReturnType<typeof createProducerCommands> & ReturnType<typeof createWorkerCommands>;

/** Serves the parent's commands until it disconnects. */
export async function runChild([name, role, url, profile]: [
  ContestantName,
  "producer" | "worker",
  string,
  Profile,
]): Promise<void> {
  const contestant = await loadContestant(name);
  const commands: Record<string, (argument: never) => unknown> =
    role === "producer"
      ? createProducerCommands(await contestant.produce(url, profile))
      : await startWorkerCommands((onJob) => contestant.work(url, profile, onJob));
  process.on("message", ({ id, command, argument }: { id: number; command: string; argument: never }) => {
    Promise.resolve()
      .then(() => commands[command]?.(argument))
      .then(
        (result) => process.send?.({ id, result }),
        (error: unknown) =>
          process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      );
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ ready: true });
}

function createProducerCommands(producer: Producer) {
  const job = (index: number): Job => ({ index, sentAt: nowMs() });
  return {
    /** One call per job. */
    submitEach: ({ callers, count, ms }: { callers: number; count?: number; ms?: number }) =>
      inFlight(callers, { ...(count !== undefined && { count }), ...(ms !== undefined && { ms }) }, (index) =>
        producer.submit(job(index)),
      ),
    submitBatches: ({ callers, count, size }: { callers: number; count: number; size: number }) =>
      inFlight(callers, { count: count / size, ms: 600_000 }, (batch) =>
        producer.submitAll(Array.from({ length: size }, (_, index) => job(batch * size + index))),
      ),
    /** An open loop: one call every so many milliseconds, however long each takes; at most 256 at once. */
    async submitPaced({ count, gapMs }: { count: number; gapMs: number }) {
      const start = nowMs();
      const pending = new Set<Promise<unknown>>();
      for (let index = 0; index < count;) {
        const due = Math.min(count, Math.floor((nowMs() - start) / gapMs) + 1);
        for (; index < due && pending.size < 256; index++) {
          const call: Promise<unknown> = producer.submit(job(index)).finally(() => pending.delete(call));
          pending.add(call);
        }
        await new Promise((resolve) =>
          setTimeout(resolve, Math.max(1, Math.min(gapMs, start + index * gapMs - nowMs()))),
        );
      }
      await Promise.all(pending);
      return { ms: nowMs() - start };
    },
    async startChains({ runs, steps }: { runs: number; steps: number }) {
      await starterOf(producer).startChains(runs, steps);
    },
    async startSpacedChain({ steps, stepMs }: { steps: number; stepMs: number }) {
      await starterOf(producer).startSpacedChain(steps, stepMs);
    },
    async startFanout({ items }: { items: number }) {
      const startedAt = nowMs();
      await starterOf(producer).startFanout(items);
      return { startedAt };
    },
    stop: () => producer.stop(),
  };
}

function starterOf({ runs }: Producer): RunStarter {
  if (runs === undefined) throw new Error("expected an engine of workflows, got a contestant that has none");
  return runs;
}

async function startWorkerCommands(open: (onJob: (job: Job) => void) => Promise<JobWorker>) {
  const state: WorkerState = { count: 0, firstAt: 0, lastAt: 0, at: 0, cpuMicros: 0, marks: [] };
  const latencies: number[] = [];
  let marks: number[] = [];
  let isRecording = false;
  const worker = await open((job) => {
    const now = nowMs();
    if (state.count === 0) state.firstAt = now;
    state.lastAt = now;
    state.count += 1;
    if (state.count === marks[state.marks.length]) state.marks.push(now);
    if (isRecording) latencies.push(now - job.sentAt);
  });
  return createWorkerCommands(worker, {
    state: () => ({ ...state, at: nowMs(), cpuMicros: ownCpuMicros() }),
    mark: (counts) => (marks = counts),
    record() {
      latencies.length = 0;
      isRecording = true;
    },
    latencies: () => latencies,
  });
}

function createWorkerCommands(
  worker: JobWorker,
  meter: { state: () => WorkerState; mark: (counts: number[]) => void; record: () => void; latencies: () => number[] },
) {
  return {
    start({ marks = [] }: { marks?: number[] } = {}) {
      meter.mark(marks);
      return worker.start();
    },
    state: () => meter.state(),
    record: () => meter.record(),
    latencies: () => meter.latencies(),
    async stop() {
      await worker.stop();
      return meter.state();
    },
  };
}
