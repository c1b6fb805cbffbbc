import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Health } from "@drover/daemon/health";
import { DroverError } from "@drover/domain/error";
import { type EnvRunner, LogLineSchema, type RunRequest } from "@drover/proto/runner/runner";
import type { Deps } from "../../operation/context.ts";
import { findTaskKey } from "../../operation/find-task.ts";
import type { SubmitTask } from "../../operation/submit-task.ts";
import { callerOf } from "../../rpc/caller.ts";
import { type ReadLine, readLogs } from "../../rpc/task-log.ts";
import { taskEnd } from "../../watch/task-end.ts";
import type { TaskWatch } from "../../watch/task.ts";
import { exitCodeOf, logLine, tensorsOf } from "./outcome.ts";
import { cacheKey, runDraft } from "./request.ts";
import { isShared, sharedRun } from "./shared-run.ts";

export interface RunnerOptions {
  deps: Deps;
  submitTask: SubmitTask;
  watch: TaskWatch;
  health: Health;
}

/**
 * runner.v1.EnvRunner. A run is a task: calling again with the same run_id and request takes up the one that is under
 * way, or answers with its end. Without a run_id, requests with the same cache key share a run where they may.
 */
export function envRunner({ deps, submitTask, watch, health }: RunnerOptions): ServiceImpl<typeof EnvRunner> {
  const begin = async (request: RunRequest, context: HandlerContext) => {
    const caller = callerOf(context);
    const draft = runDraft(request);
    const key = isShared(request)
      ? await sharedRun({ deps, submitTask, caller, request, draft })
      : await findTaskKey(deps, caller, (await submitTask.one(caller, draft)).id);
    const namespaceId = await deps.directory.namespaceId(caller.namespace);
    return { deps, watch, namespaceId, key, signal: context.signal };
  };
  const allLines = { tail: 0, sinceMs: 0 };
  return {
    async run(request, context) {
      const run = await begin(request, context);
      const task = await taskEnd(run);
      const exitCode = exitCodeOf(task);
      const lines = createTail();
      for await (const some of readLogs(deps, { ...run, ...allLines, follow: false })) lines.add(some);
      return { exitCode, logs: lines.kept().map(logLine), outputs: tensorsOf(task), cacheKey: cacheKey(request) };
    },

    async *streamRun(request, context) {
      const run = await begin(request, context);
      for await (const lines of readLogs(deps, { ...run, ...allLines, follow: true })) {
        for (const line of lines) yield create(LogLineSchema, logLine(line));
      }
      const exitCode = exitCodeOf(await taskEnd(run));
      if (exitCode !== 0) throw new DroverError("conflict", `The run ended with exit code ${exitCode}.`);
    },

    healthz() {
      const { isReady, checks } = health.state();
      if (isReady) return {};
      const failing = checks.flatMap(({ name, ok, message }) => (ok === true ? [] : [`${name}: ${message}`]));
      throw new DroverError("unavailable", `Expected a runner that is ready, but it is not: ${failing.join("; ")}.`);
    },
  };
}

/** Clients take 4 MiB in one message. */
const maxLogCharacters = 1_000_000;

/** The newest lines of a log, as many as an answer may carry. */
function createTail() {
  let lines: ReadLine[] = [];
  let characters = 0;
  return {
    add(more: ReadLine[]) {
      lines.push(...more);
      for (const { text } of more) characters += text.length + 64;
      let drop = 0;
      for (; characters > maxLogCharacters; drop += 1) characters -= (lines[drop]?.text.length ?? 0) + 64;
      if (drop > 0) lines = lines.slice(drop);
    },
    kept: () => lines,
  };
}
