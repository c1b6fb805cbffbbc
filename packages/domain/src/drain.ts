import type { Rejection } from "./placement/request.ts";

/** Something that leaves a node which is drained. */
export interface DrainEstimate {
  kind: "task" | "replica";
  /** The id of a task, or environment/service/number. */
  name: string;
  /**
   * Of a replica: the node that it will probably move to. Absent: none has room, see the rejections; or it is stopped, and
   * gets a place when it is started.
   */
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

/**
 * How long a replica will probably hold a node up: until its replacement is healthy, or to the deadline where there is no
 * room for one. One that is stopped leaves at once.
 */
export function replicaSeconds({
  isStopped = false,
  hasPlace,
  startSeconds = 10,
  deadlineSeconds,
}: {
  isStopped?: boolean;
  /** Another node has room for its replacement. */
  hasPlace: boolean;
  /** What its last start took; absent: not known. */
  startSeconds?: number | undefined;
  deadlineSeconds: number;
}): number {
  if (isStopped) return 0;
  return hasPlace ? Math.ceil(Math.min(startSeconds, deadlineSeconds)) : deadlineSeconds;
}

/** How long a drain will take: everything leaves at once, and at the deadline at the latest. */
export function drainSeconds(items: readonly { expectedSeconds: number }[], deadlineSeconds: number): number {
  return Math.min(
    deadlineSeconds,
    items.reduce((most, item) => Math.max(most, item.expectedSeconds), 0),
  );
}
