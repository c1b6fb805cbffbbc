import type { Run, RunRequest, StopReason } from "./executor.ts";
import { stoppedEarly } from "./outcome.ts";

/** A run that starts when others have ended, whose GPUs it was given; nothing of it has begun where it is stopped first. */
export function startAfter<Result>(
  others: readonly Promise<unknown>[],
  request: RunRequest,
  start: () => Run<Result>,
): Run<Result> {
  if (others.length === 0) return start();
  const stopped = Promise.withResolvers<StopReason>();
  let begun: Run<Result> | undefined;
  const begin = async () => {
    const reason = await Promise.race([stopped.promise, Promise.all(others).then(() => undefined)]);
    if (reason !== undefined) return stoppedEarly(request, reason);
    begun = start();
    return begun.outcome;
  };
  return {
    taskKey: request.taskKey,
    fence: request.fence,
    outcome: begin(),
    async stop(reason) {
      if (begun) return begun.stop(reason);
      stopped.resolve(reason);
      return { gone: true };
    },
    ask: async (command) => begun?.ask?.(command),
  };
}
