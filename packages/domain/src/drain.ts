import type { Rejection } from "./placement/request.ts";

/** Something that leaves a node which is drained. */
export interface DrainEstimate {
  kind: "task" | "replica";
  /** The id of a task, or environment/service/number. */
  name: string;
  /** Of a replica: the node that it will probably move to; absent: none has room, see the rejections. */
  to?: string;
  expectedSeconds: number;
  rejections: readonly Rejection[];
}

/** How long a task will probably hold a node up, in whole seconds: as long as its like, its time limit at most. */
export function taskSeconds({
  elapsedSeconds,
  usualSeconds,
  limitSeconds,
  deadlineSeconds,
}: {
  elapsedSeconds: number;
  /** Of others in its queue; absent: not known. */
  usualSeconds?: number | undefined;
  limitSeconds: number;
  deadlineSeconds: number;
}): number {
  const untilLimit = Math.max(0, limitSeconds - elapsedSeconds);
  // One that has outlived its like says nothing of its end any more.
  const isUsual = usualSeconds !== undefined && usualSeconds > elapsedSeconds;
  const left = isUsual ? Math.min(usualSeconds - elapsedSeconds, untilLimit) : untilLimit;
  return Math.ceil(Math.min(left, deadlineSeconds));
}

/** How long a replica will probably hold a node up: until its replacement is healthy. */
export function replicaSeconds({
  startSeconds = 10,
  deadlineSeconds,
}: {
  /** What its last start took; absent: not known. */
  startSeconds?: number | undefined;
  deadlineSeconds: number;
}): number {
  return Math.ceil(Math.min(startSeconds, deadlineSeconds));
}

/** How long a drain will take: everything leaves at once, and at the deadline at the latest. */
export function drainSeconds(items: readonly { expectedSeconds: number }[], deadlineSeconds: number): number {
  return Math.min(
    deadlineSeconds,
    items.reduce((most, item) => Math.max(most, item.expectedSeconds), 0),
  );
}
