import { ConnectError } from "@connectrpc/connect";
import { builtIn, findService } from "@drover/environment/built-in";
import { runningDaemon, startDaemon } from "./daemon.ts";
import { complain, envManager, isReady, say, type Task } from "./place.ts";

/** `dspy-agent start`: ends with 0 once everything that was asked for runs; what it started runs on. */
export async function start(task: Task): Promise<number> {
  const { place, config, flags } = task;
  if (await isReady(task)) say(place, `Drover is there already, at ${config.envManagerAddress}.`);
  else if (runningDaemon(place) !== undefined) {
    complain(place, `Error: Drover runs, but does not answer at ${config.envManagerAddress}.`);
    complain(place, "Try: dspy-agent stop --force, then start again.");
    return 1;
  } else {
    say(place, "Starting Drover ...");
    await startDaemon(task);
    say(place, `Drover is up: orchestrator ${config.orchestratorAddress}, env-manager ${config.envManagerAddress}.`);
  }
  try {
    const request = { serviceNames: wantedServices(task), parallel: true, overrides: portOverrides(task) };
    for await (const update of envManager(task).startServices(request, { signal: place.stop })) {
      const { serviceName, status, message, progress } = update;
      say(
        place,
        `  ${serviceName.padEnd(18)} ${status.padEnd(9)} ${String(progress).padStart(3)} %  ${message}`.trimEnd(),
      );
    }
  } catch (error) {
    complain(place, `Error: ${ConnectError.from(error).rawMessage}`);
    complain(
      place,
      `Try: dspy-agent status; ${flags.services === undefined ? "--services NAME,... starts only some" : "dspy-agent logs"}`,
    );
    return 1;
  }
  say(place, "Ready.");
  return 0;
}

/** Those of the command line; else those that the configuration has on, or all but those that it has off. */
function wantedServices({ config, flags }: Task): string[] {
  if (flags.services !== undefined)
    return flags.services
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
  const said = Object.entries(config.services);
  const on = said.filter(([, isOn]) => isOn).map(([name]) => name);
  if (on.length > 0 || said.length === 0) return on;
  const all = builtIn("lightweight")?.declaration.services ?? [];
  const off = new Set(said.map(([name]) => findService({ services: all }, name)?.name));
  return all.map(({ name }) => name).filter((name) => !off.has(name));
}

/** Ports of the configuration stand for the first port of a service. */
function portOverrides({ config }: Task): Record<string, string> {
  const declaration = builtIn("lightweight")?.declaration ?? { services: [] };
  return Object.fromEntries(
    Object.entries(config.ports).flatMap(([name, port]) => {
      const service = findService(declaration, name);
      const [first, ...others] = service?.ports ?? [];
      if (service === undefined || first === undefined) return [];
      const rest = others.map(({ hostPort, containerPort }) => `${hostPort}:${containerPort}`);
      return [[`${service.name}.ports`, [`${port}:${first.containerPort}`, ...rest].join(",")]];
    }),
  );
}
