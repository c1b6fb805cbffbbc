import { ConnectError } from "@connectrpc/connect";
import { runningDaemon, stopDaemon } from "./daemon.ts";
import { complain, envManager, isReady, say, type Task } from "./place.ts";

/** What a server gives itself to stop, and what is on top of it. */
const serverMs = 45_000;

/** `dspy-agent stop`: the services, then what `start` has started. */
export async function stop(task: Task): Promise<number> {
  const { place, flags } = task;
  const seconds = Number(flags.timeout ?? 30);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 3600) {
    complain(place, `Error: Expected seconds from 0 to 3600 for --timeout, got "${flags.timeout}".`);
    return 2;
  }
  const pid = runningDaemon(place);
  const isServed = await isReady(task);
  if (pid === undefined && !isServed) {
    say(place, "Nothing runs.");
    return 0;
  }
  let isClean = true;
  if (isServed) {
    // By force there is no time for those that do not end by themselves.
    const timeoutSeconds = flags.force === true ? 1 : seconds;
    const call = envManager(task).stopServices({ timeoutSeconds }, { signal: place.stop, timeoutMs: 700_000 });
    const answer = await call.catch((error: unknown) => ConnectError.from(error).rawMessage);
    isClean = typeof answer !== "string" && answer.success;
    const results = typeof answer === "string" ? { services: answer } : answer.serviceResults;
    for (const [name, text] of Object.entries(results)) say(place, `  ${name}: ${text}`);
  }
  if (pid === undefined) {
    say(place, "The services are stopped; the server was not started by dspy-agent, and goes on.");
    return isClean ? 0 : 1;
  }
  const hasEnded = await stopDaemon(place, pid, flags.force === true ? 1000 : serverMs);
  say(place, hasEnded ? "Stopped." : "Ended by force.");
  return (isClean && hasEnded) || flags.force === true ? 0 : 1;
}
