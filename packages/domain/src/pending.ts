import type { ExecutorName } from "./execution.ts";
import type { Rejection } from "./placement/request.ts";
import type { TaskState } from "./task.ts";

export type WaitingReason = "delayed" | "retrying" | "rate_limited" | "blocked";
export type PendingReason =
  | WaitingReason
  | "class_paused"
  | "class_limit"
  | "no_holder"
  | "queued"
  | "unplaced"
  | "gang_incomplete";

/** Of a task that has to be placed on a node before it can be claimed. */
export interface PlacementFacts {
  /** The node that it was placed on and that will claim it. */
  node?: string;
  /** How many of its gang could start with it, where they are fewer than belong to it. */
  gang?: { name: string; size: number; present: number };
  /** How many nodes were looked at. */
  nodes: number;
  rejections: readonly Rejection[];
}

export interface PendingFacts {
  state: TaskState;
  /** Set while the task is waiting. */
  waitingReason?: WaitingReason;
  untilAt?: Date;
  /** What holds a limited or blocked task back: `limit tpm (100 tokens a minute)`. */
  blocker?: string;
  className: string;
  classPaused: boolean;
  /** Absent: no limit. */
  classLimit?: number;
  classRunning: number;
  executor: ExecutorName;
  /** The type of its handler; empty where the executor is no worker. */
  taskType: string;
  /** Holders with a live lease that serve this queue. */
  liveHolders: number;
  /** Tasks of the same queue that are claimed first. */
  ahead: number;
  /** Absent: any node of its class may claim it. */
  placement?: PlacementFacts;
}

export interface PendingAnswer {
  reason: PendingReason;
  /** A sentence with the values in it, and what to do where someone has to. */
  message: string;
  untilMs?: number;
}

/** Why a task does not run yet; undefined once it runs or has ended. */
export function explainPending(facts: PendingFacts): PendingAnswer | undefined {
  if (facts.state === "waiting") {
    return explainWaiting(facts);
  }
  return facts.state === "pending" ? explainQueued(facts) : undefined;
}

function explainWaiting({ waitingReason = "blocked", untilAt, blocker }: PendingFacts): PendingAnswer {
  const causes: Record<WaitingReason, string> = {
    delayed: "It was submitted with a delay",
    retrying: "Its last attempt failed and the next one waits",
    rate_limited: "A rate limit holds it back",
    blocked: "Something else has to end first",
  };
  const until = untilAt === undefined ? "" : ` until ${untilAt.toISOString()}`;
  const cause = blocker === undefined ? causes[waitingReason] : `It waits for ${blocker}`;
  return {
    reason: waitingReason,
    message: `${cause}${until}.`,
    ...(untilAt && { untilMs: untilAt.getTime() }),
  };
}

function explainQueued(facts: PendingFacts): PendingAnswer {
  const { className, classPaused, classLimit, classRunning, liveHolders, ahead } = facts;
  if (classPaused) {
    return {
      reason: "class_paused",
      message: `Class ${className} is paused; \`drover class resume ${className}\` lets it go on.`,
    };
  }
  if (classLimit !== undefined && classRunning >= classLimit) {
    return {
      reason: "class_limit",
      message: `Class ${className} runs ${count(classRunning, "task")} and its limit is ${classLimit}; ${queued(ahead)}.`,
    };
  }
  if (facts.placement !== undefined) return explainUnplaced(facts, facts.placement);
  if (liveHolders === 0) {
    return { reason: "no_holder", message: missingHolder(facts) };
  }
  return { reason: "queued", message: `${capital(queued(ahead))}; ${count(liveHolders, "live holder")} can run it.` };
}

function explainUnplaced(facts: PendingFacts, { node, gang, nodes, rejections }: PlacementFacts): PendingAnswer {
  if (node !== undefined)
    return { reason: "queued", message: `It is placed on node ${node}, which is about to claim it.` };
  if (gang !== undefined && gang.present < gang.size) {
    const { name, size, present } = gang;
    return {
      reason: "gang_incomplete",
      message: `${present} of the ${size} tasks of gang ${name} are there; they start when all are. Submit the others, or cancel these.`,
    };
  }
  if (nodes === 0) return { reason: "no_holder", message: missingHolder(facts) };
  const able = nodes - rejections.length;
  if (able > 0) {
    const after = facts.ahead === 0 ? "" : `; ${queued(facts.ahead)}`;
    return {
      reason: "unplaced",
      message: `${count(able, "node")} of ${nodes} could run it, which the next round of placement will use${after}.`,
    };
  }
  const why = tally(rejections.map(({ code }) => code));
  return {
    reason: "unplaced",
    message: `None of ${count(nodes, "node")} can run it now (${why}); the rejections tell of each.`,
  };
}

/** `gpu_taken 12, taint 3`: the most frequent first. */
function tally(codes: readonly string[]): string {
  const counts = [...Map.groupBy(codes, (code) => code)].map(([code, all]) => ({ code, times: all.length }));
  return counts
    .toSorted((a, b) => b.times - a.times || (a.code < b.code ? -1 : 1))
    .map(({ code, times }) => `${code} ${times}`)
    .join(", ");
}

function missingHolder({ className, executor, taskType }: PendingFacts): string {
  if (executor === "llm") {
    return `No live agent makes calls of provider "${taskType}" in class ${className}; start one that has its key, or look at \`drover node list\`.`;
  }
  return executor === "worker"
    ? `No live worker handles type "${taskType}" in class ${className}; start one, or look at \`drover node list\`.`
    : `No live agent runs ${executor} tasks of class ${className}; start one with \`drover agent\`, or look at \`drover node list\`.`;
}

function queued(ahead: number): string {
  return ahead === 0
    ? "it is the next of its queue"
    : `${count(ahead, "task")} of its queue ${ahead === 1 ? "runs" : "run"} before it`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
