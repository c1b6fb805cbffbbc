import type { Executor } from "@drover/db/client";
import type { Metrics } from "@drover/daemon/metric";
import { queueDepths, sumEvents } from "@drover/db/query/control";
import { eventTotals } from "@drover/db/query/event";
import { gpuFigures } from "@drover/db/query/gpu";
import { countOpenRuns } from "@drover/db/query/run";
import { listNodes, type NodeRow } from "@drover/db/query/node";
import { countWorkflows } from "@drover/db/query/workflow-list";
import type { metrics } from "../metric.ts";
import { collectSpending } from "./spending.ts";

type Handles = Metrics<typeof metrics>["handles"];

export interface CollectMetricsOptions {
  db: Executor;
  handles: Handles;
  /** What was collected less than this ago still stands. */
  maxAgeMs?: number;
  now?: () => number;
}

/**
 * Sets what only the database knows: depths, capacity, and totals over all replicas. Calls in quick succession cost
 * nothing, since counting reads the hot tables.
 */
export async function collectMetrics({
  db,
  handles,
  maxAgeMs = 2000,
  now = () => performance.now(),
}: CollectMetricsOptions): Promise<void> {
  const memory = memoryOf(handles);
  if (now() - memory.collectedAt < maxAgeMs) return;
  // Totals are summed up by the sweep, every few seconds; who asks wants those of now.
  await sumEvents(db);
  const [depths, gpus, totals, nodes, workflows] = await Promise.all([
    queueDepths(db),
    gpuFigures(db),
    eventTotals(db),
    liveNodes(db),
    countWorkflows(db),
  ]);
  const at = now();
  memory.collectedAt = at;

  const depth = depths.pending + depths.waiting;
  handles.envQueueDepth.set(depth);
  handles.queueDepth.set(depth);
  handles.gpuWaitSeconds.set(gpus.oldestWaitSeconds);
  handles.inflightTasks.set(depths.running);
  handles.workflowsTotal.set(workflows);
  const slots = sum(nodes.filter((node) => node.state === "ready").flatMap((node) => Object.values(node.slots)));
  handles.concurrencyLimit.set(slots);
  handles.concurrencyLimitAlias.set(slots);
  handles.runnerGpuTotal.set(gpus.total);
  handles.gpuUtilization.set(gpus.utilization ?? 0);
  handles.gpuAllocated.set(gpus.slots === 0 ? 0 : gpus.taken / gpus.slots);

  const total = (kind: string): number => totals.get(kind) ?? 0;
  const failed = total("task.failed");
  const ended = total("task.completed") + failed + total("task.cancelled");
  memory.raise("submitted", total("task.submitted"), handles.submitted);
  memory.raise("processed", ended, handles.processed);
  memory.raise("completed", total("task.completed"), handles.completed);
  memory.raise("events", sum([...totals.values()]), handles.events);
  memory.raise("errors", failed, {
    inc: (difference) => handles.taskErrors.inc({ task: "env_task" }, difference),
    reset: () => handles.taskErrors.reset(),
  });
  memory.raise("runs started", total("run.started"), handles.runsStarted);
  for (const state of ["completed", "partially_completed", "failed", "cancelled"]) {
    memory.raise(`runs ${state}`, total(`run.${state}`), {
      inc: (difference) => handles.runsEnded.inc({ state }, difference),
      reset: () => handles.runsEnded.reset(),
    });
  }
  handles.runsOpen.set(await countOpenRuns(db));
  await collectSpending(db, handles, at);
  const errorRate = memory.errorRate({ at, failed, ended });
  handles.envErrorRate.set(errorRate);
  handles.taskErrorRate.set(errorRate);
}

interface Sample {
  at: number;
  failed: number;
  ended: number;
}

interface Counter {
  inc(difference: number): void;
  reset(): void;
}

/** What one set of metrics was last told. */
interface Memory {
  collectedAt: number;
  /** A counter can only be added to: by what the total has grown since. A total that fell is that of another database. */
  raise(name: string, total: number, counter: Counter): void;
  /** Share of failures among the tasks that ended in the last minute. */
  errorRate(sample: Sample): number;
}

// By the metrics they belong to, so that each server of a process has its own.
const memories = new WeakMap<Handles, Memory>();

function memoryOf(handles: Handles): Memory {
  const known = memories.get(handles);
  if (known !== undefined) return known;
  const memory = createMemory();
  memories.set(handles, memory);
  return memory;
}

const windowMs = 60_000;

function createMemory(): Memory {
  const lastTotals = new Map<string, number>();
  let samples: Sample[] = [];
  return {
    collectedAt: -Infinity,
    raise(name, total, counter) {
      const last = lastTotals.get(name) ?? 0;
      if (total < last) counter.reset();
      counter.inc(total < last ? total : total - last);
      lastTotals.set(name, total);
    },
    errorRate(sample) {
      // The newest one from before the window stays, as what to compare with.
      const firstInside = samples.findIndex(({ at }) => at > sample.at - windowMs);
      samples = [...samples.slice(firstInside < 0 ? -1 : Math.max(0, firstInside - 1)), sample];
      const [base = sample] = samples;
      const ended = sample.ended - base.ended;
      return ended > 0 ? Math.min(1, Math.max(0, (sample.failed - base.failed) / ended)) : 0;
    },
  };
}

async function liveNodes(db: Executor): Promise<NodeRow[]> {
  return (await listNodes(db)).filter((node) => node.state !== "lost");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
