import { followLog } from "../docker/follow.ts";
import { containerName } from "../docker/spec.ts";
import type { Capture } from "./capture.ts";
import { createCapture } from "./capture.ts";
import type { Ending, SuperviseDeps } from "./docker-supervise.ts";
import { supervise } from "./docker-supervise.ts";
import type { LogSink, Run, RunOutcome, RunRequest, RunResult, StopReason } from "./executor.ts";
import { failed, settle, stoppedEarly } from "./outcome.ts";
import { collectOutputs } from "./output.ts";
import { callAfter } from "./timer.ts";

/** A container that was started (or ended already), or the outcome where it came to none. */
export type Begun =
  | { id: string; startedAt: Date; folder: string; workDir: string }
  | { outcome: RunOutcome; mayBeLeft: boolean };

export interface BeginContext {
  stopping: AbortSignal;
  note: (text: string) => void;
}

export interface DockerRunOptions {
  deps: SuperviseDeps;
  request: RunRequest;
  logs: LogSink;
  /** Output before this time is shipped already. */
  logsSince?: Date;
  begin: (context: BeginContext) => Promise<Begun>;
}

const logDrainMs = 10_000;

/** Carries one attempt from its beginning to its outcome: begin, watch, read what it left, remove, settle. */
export function startDockerRun(options: DockerRunOptions): Run {
  const { request } = options;
  const stopping = new AbortController();
  const capture = createCapture(options.logs, options.logsSince === undefined ? {} : { since: options.logsSince });
  const gone = Promise.withResolvers<boolean>();
  const outcome = run(options, capture, stopping, gone.resolve).catch((error: unknown) =>
    failed(
      "start_failed",
      `The node could not run the task: ${error instanceof Error ? error.message : String(error)}`,
    ),
  );
  // An end that told nothing came before anything was started.
  void outcome.finally(() => gone.resolve(true));
  return {
    taskKey: request.taskKey,
    fence: request.fence,
    outcome,
    async stop(reason) {
      stopping.abort(reason);
      // Reading the rest of the log and the outputs may take longer than the end itself.
      return { gone: await gone.promise };
    },
    async ask(command) {
      const answer = await options.deps.engine.runInside(containerName(request), command);
      return answer.ok ? answer.value : undefined;
    },
  };
}

async function run(
  options: DockerRunOptions,
  capture: Capture,
  stopping: AbortController,
  tellGone: (isGone: boolean) => void,
): Promise<RunOutcome> {
  const { deps, request } = options;
  const begun = await options.begin({ stopping: stopping.signal, note: capture.note });
  if ("outcome" in begun) {
    tellGone(!begun.mayBeLeft);
    return begun.outcome;
  }
  let isGone = false;
  const log = startLog(deps, begun.id, capture);
  const leftMs = begun.startedAt.getTime() + request.timeoutSeconds * 1000 - Date.now();
  const callOff = callAfter(leftMs, () => stopping.abort("timeout"));
  try {
    const ending = await supervise(deps, begun.id, stopping.signal);
    isGone = ending.kind !== "lost";
    tellGone(isGone);
    await log.complete(ending.kind === "lost" ? 0 : logDrainMs);
    return await finish(options, capture, begun, ending);
  } finally {
    callOff();
    tellGone(isGone);
    await log.complete(0);
    if (isGone) await deps.engine.remove(begun.id);
  }
}

function startLog(deps: SuperviseDeps, id: string, capture: Capture): { complete(withinMs: number): Promise<void> } {
  const ended = new AbortController();
  const stop = new AbortController();
  const reading = followLog(
    deps.engine,
    id,
    ({ stream, stamp, bytes }) => capture.write(stream, bytes, new Date(stamp)),
    { ended: ended.signal, stop: stop.signal },
  );
  return {
    async complete(withinMs) {
      ended.abort();
      const timer = setTimeout(() => stop.abort(), withinMs);
      await reading;
      clearTimeout(timer);
    },
  };
}

async function finish(
  { request }: DockerRunOptions,
  capture: Capture,
  begun: { startedAt: Date; folder: string; workDir: string },
  ending: Ending,
): Promise<RunOutcome> {
  if (ending.kind === "lost") {
    return failed("engine_unavailable", `The container engine stayed away while the task ran: ${ending.message}`);
  }
  const startedAt = ending.kind === "stopped" ? (ending.look.startedAt ?? begun.startedAt) : begun.startedAt;
  const finishedAt = ending.kind === "stopped" ? (ending.look.finishedAt ?? new Date()) : new Date();
  const exitCode = ending.kind === "stopped" ? ending.look.exitCode : null;
  const collected = await collectOutputs(request.execution.artifacts?.outputs ?? [], begun, capture.note);
  const result: RunResult = {
    exitCode,
    durationMs: Math.max(0, finishedAt.getTime() - startedAt.getTime()),
    ...collected,
    ...capture.finish(),
    workingDir: begun.folder,
  };
  if (ending.kind === "stopped") return settle(request, { ...endOf(ending), exitCode }, result);
  if (ending.stopReason !== undefined) return { ...stoppedEarly(request, ending.stopReason), result };
  return { ...failed("engine_unavailable", "Somebody removed the container before its end was seen."), result };
}

function endOf(ending: Extract<Ending, { kind: "stopped" }>): {
  isOutOfMemory: boolean;
  wasEngineAway: boolean;
  stopReason?: StopReason;
} {
  const { look, stopReason, wasEngineAway } = ending;
  return { isOutOfMemory: look.isOutOfMemory, wasEngineAway, ...(stopReason === undefined ? {} : { stopReason }) };
}
