import { ownerLabels } from "./owner.ts";

/** The labels by which an agent knows its own containers again: Docker is its only memory. */
export const label = {
  task: "drover.task",
  fence: "drover.fence",
  attempt: "drover.attempt",
  holder: ownerLabels.holder,
  epoch: "drover.epoch",
  startedAt: "drover.started_at",
  taskId: "drover.task_id",
  namespace: "drover.namespace",
  class: "drover.class",
  folder: "drover.folder",
  workDir: "drover.work_dir",
  timeoutSeconds: "drover.timeout_seconds",
  gpus: "drover.gpus",
} as const;

/** A task's container, as its labels tell. */
export interface TaskLabels {
  taskKey: string;
  fence: string;
  holder: string;
  startedAt: Date;
  folder: string;
  workDir: string;
}

/** Reads the labels of a task's container; undefined where it is none of ours. */
export function readTaskLabels(labels: Record<string, string>): TaskLabels | undefined {
  const { [label.task]: taskKey, [label.fence]: fence, [label.holder]: holder } = labels;
  const { [label.folder]: folder, [label.workDir]: workDir, [label.startedAt]: started } = labels;
  if (taskKey === undefined || fence === undefined || holder === undefined) return undefined;
  if (folder === undefined || workDir === undefined || started === undefined) return undefined;
  const startedAt = new Date(started);
  if (Number.isNaN(startedAt.getTime())) return undefined;
  return { taskKey, fence, holder, startedAt, folder, workDir };
}
