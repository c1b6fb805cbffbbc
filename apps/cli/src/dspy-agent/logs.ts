import { ConnectError } from "@connectrpc/connect";
import { complain, envManager, isReady, say, type Task } from "./place.ts";

/** `dspy-agent logs`: of one service, or of all that run, each line with its name. */
export async function logs(task: Task): Promise<number> {
  const { place, config, flags } = task;
  const tail = Number(flags.tail ?? 100);
  if (!Number.isInteger(tail) || tail < 0) {
    complain(place, `Error: Expected a number of lines for --tail, got "${flags.tail}".`);
    return 2;
  }
  if (!(await isReady(task))) {
    complain(place, `Nothing answers at ${config.envManagerAddress}.`);
    complain(place, "Try: dspy-agent start");
    return 4;
  }
  const client = envManager(task);
  const isOne = flags.service !== undefined;
  const names = isOne ? [flags.service ?? ""] : await runningServices(task);
  if (names.length === 0) {
    complain(place, "No service has a container: there is nothing to show.");
    complain(place, "Try: dspy-agent start");
    return 0;
  }
  const width = Math.max(0, ...names.map((name) => name.length));
  const read = async (serviceName: string): Promise<number> => {
    const request = { serviceName, tail, follow: flags.follow === true };
    try {
      for await (const line of client.streamLogs(request, { signal: place.stop })) {
        say(place, isOne ? line.message : `${serviceName.padEnd(width)} | ${line.message}`);
      }
      return 0;
    } catch (error) {
      if (place.stop.aborted) return 130;
      complain(place, `Error: ${ConnectError.from(error).rawMessage}`);
      return 1;
    }
  };
  return Math.max(0, ...(await Promise.all(names.map(read))));
}

async function runningServices(task: Task): Promise<string[]> {
  const { services } = await envManager(task).getServicesStatus({}, { timeoutMs: 5000 });
  return Object.values(services)
    .filter(({ containerId, status }) => containerId !== "" && status !== "stopped")
    .map(({ name }) => name)
    .toSorted();
}
