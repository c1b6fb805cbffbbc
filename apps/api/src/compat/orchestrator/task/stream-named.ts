import type { TaskRow } from "@drover/db/query/task";
import { isFinal } from "@drover/domain/task";
import type { Caller, Deps } from "../../../operation/context.ts";
import { findTaskKeys } from "../../../operation/find-task.ts";
import type { TaskWatch } from "../../../watch/task.ts";
import { createMailbox } from "./mailbox.ts";
import { patiently } from "../patiently.ts";
import { createOpenTasks } from "./repeat.ts";
import { readTasks, type TaskResultInit } from "./view.ts";

export interface StreamNamedOptions {
  deps: Deps;
  watch: TaskWatch;
  caller: Caller;
  ids: readonly string[];
  /** False: those that are final already are left out. */
  includeCompleted: boolean;
  signal: AbortSignal;
  repeatMs?: number;
}

/**
 * The named tasks now, on every change, and again while nothing changes; ends when all are final and were sent.
 * Ids that nobody has submitted yet are waited for.
 */
export async function* streamNamed({
  deps,
  watch,
  caller,
  ids,
  includeCompleted,
  signal,
  repeatMs = 350,
}: StreamNamedOptions): AsyncGenerator<TaskResultInit> {
  const namespaceId = await deps.directory.namespaceId(caller.namespace);
  const unknown = new Set(ids);
  const open = createOpenTasks({ repeatMs });
  const changes = createMailbox<TaskRow>(signal);
  const ended = new AbortController();
  const lookup = createLookup(repeatMs);
  let isFirst = true;

  const follow = (keys: string[]): void => {
    const until = AbortSignal.any([signal, ended.signal]);
    const read = async () => {
      for await (const row of watch.follow(namespaceId, keys, until)) changes.put(row);
    };
    patiently(until, read).catch(changes.fail);
  };

  try {
    while (!signal.aborted) {
      if (unknown.size > 0 && lookup.isDue()) {
        const find = () => findTaskKeys(deps, caller, [...unknown]);
        const found = await (isFirst ? find() : patiently(signal, find));
        const existing = new Set<string>();
        for await (const row of readTasks(deps.db, namespaceId, found.values(), signal)) {
          existing.add(row.key);
          if (includeCompleted || !isFirst || !isFinal(row.state)) yield open.tell(row);
        }
        for (const [id, key] of found) if (existing.has(key)) unknown.delete(id);
        const toFollow = [...existing].filter((key) => open.has(key));
        if (toFollow.length > 0) follow(toFollow);
        isFirst = false;
      }
      if (unknown.size + open.size === 0) return;
      const waitMs = Math.min(open.dueInMs(), unknown.size > 0 ? lookup.dueInMs() : Infinity);
      const changed = (await changes.take(waitMs)).filter((row) => open.has(row.key) && open.isNews(row));
      const keys = changed.map((row) => row.key);
      for await (const row of readTasks(deps.db, namespaceId, keys, signal)) yield open.tell(row);
      yield* open.due();
    }
  } finally {
    ended.abort();
  }
}

/** When to look for ids that were unknown: soon at first, then ever more rarely. */
function createLookup(firstMs: number) {
  const startedAt = performance.now();
  let nextAt = startedAt;
  return {
    isDue() {
      const now = performance.now();
      if (now < nextAt) return false;
      nextAt = now + Math.min(5000, firstMs + (now - startedAt) / 4);
      return true;
    },
    dueInMs: () => Math.max(0, nextAt - performance.now()),
  };
}
