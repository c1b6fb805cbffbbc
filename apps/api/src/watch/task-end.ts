import { getTaskDetails, type TaskDetailRow } from "@drover/db/query/task";
import { DroverError } from "@drover/domain/error";
import { isFinal } from "@drover/domain/task";
import type { Deps } from "../operation/context.ts";
import type { TaskWatch } from "./task.ts";

export interface TaskEndOptions {
  deps: Pick<Deps, "db">;
  watch: TaskWatch;
  namespaceId: number;
  key: string;
  signal: AbortSignal;
}

/** A task with everything once it is final; throws the signal's reason where that came first. */
export async function taskEnd({ deps, watch, namespaceId, key, signal }: TaskEndOptions): Promise<TaskDetailRow> {
  for await (const row of watch.follow(namespaceId, [key], signal)) if (isFinal(row.state)) break;
  signal.throwIfAborted();
  const [task] = await getTaskDetails(deps.db, namespaceId, [key]);
  if (task === undefined) throw new DroverError("not_found", "The task is gone: it was dropped with its week.");
  return task;
}
