import { OrchestratorService } from "@drover/proto/orchestrator/orchestrator";
import { createClient } from "@connectrpc/connect";
import { renderTable } from "../table.ts";
import { runningDaemon } from "./daemon.ts";
import { complain, envManager, isReady, reachable, say, type Task } from "./place.ts";

/** `dspy-agent status`: 0 where the server answers. */
export async function status(task: Task): Promise<number> {
  const { place, config } = task;
  if (!(await isReady(task))) {
    complain(place, `Nothing answers at ${config.envManagerAddress}.`);
    complain(place, "Try: dspy-agent start");
    return 4;
  }
  const options = { signal: place.stop, timeoutMs: 5000 };
  const orchestrator = createClient(OrchestratorService, place.connect(reachable(config.envManagerAddress)));
  const [{ services }, health] = await Promise.all([
    envManager(task).getServicesStatus({}, options),
    orchestrator.health({}, options),
  ]);
  const pid = runningDaemon(place);
  const by = pid === undefined ? "not started by dspy-agent" : `process ${pid}`;
  say(
    place,
    `Orchestrator ${health.healthy ? "healthy" : "unhealthy"}, env-manager ${config.envManagerAddress}, ${by}.`,
  );
  const rows = Object.values(services)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((service) => [
      service.name,
      service.status,
      service.containerId.slice(0, 12),
      service.ports.join(","),
      Object.values(service.healthChecks).join("; "),
    ]);
  const columns = ["SERVICE", "STATUS", "CONTAINER", "PORTS", "HEALTH"].map((heading) => ({ heading }));
  for (const line of renderTable({ columns, rows })) say(place, line);
  return 0;
}
