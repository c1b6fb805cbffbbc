import { mkdirSync } from "node:fs";
import { relative, resolve } from "node:path";
import { aborted } from "@drover/daemon/deadline";
import { DroverError } from "@drover/domain/error";
import { startHouse } from "./house.ts";
import { claimFolder, endProcesses, stopServer } from "./leftover.ts";
import type { Screen } from "./screen.ts";
import { describeWarning } from "./warning.ts";

export interface DevOptions {
  root: string;
  /** Of the database and the tasks. */
  data: string;
  /** Addresses of the API, where not the default ones. */
  listen: string | undefined;
  dockerHost: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  screen: Screen;
  signal: AbortSignal;
}

/** Unless the environment says otherwise: a Ctrl-C shall be over within a few seconds. */
const defaults = {
  DROVER_STOP_SECONDS: "5",
  DROVER_AGENT_STOP_SECONDS: "6",
  DROVER_AGENT_GRACE_SECONDS: "1",
  // A provider without a key, so that workflows can be tried at once.
  DROVER_AGENT_LLM_ECHO: "true",
};

/** Runs database, API and agent until the signal, and first ends what an earlier run that was killed has left. */
export async function runDev({ root, data, listen, dockerHost, env, screen, signal }: DevOptions): Promise<void> {
  const folder = resolve(data);
  const place = folder.startsWith(`${root}/`) ? relative(root, folder) : folder;
  mkdirSync(folder, { recursive: true });
  const release = claimFolder(folder);
  screen.line();
  try {
    const left = await endProcesses(folder);
    if (left.length > 0) screen.fact("Cleared", `what an earlier run left: ${left.join(", ")}`);
    screen.status("Starting PostgreSQL, API and agent ...");
    const house = await startHouse({
      root,
      folder,
      args: ["--data", folder, "--process", ...(listen === undefined ? [] : ["--listen", listen])],
      env: { ...defaults, ...(dockerHost === undefined ? {} : { DROVER_AGENT_DOCKER_HOST: dockerHost }), ...env },
      signal,
      onWarning: (line) => screen.line(describeWarning(line, screen.paint)),
    });
    const [api = "", ...others] = house.urls;
    const slots = Object.entries(house.slots).map(([name, count]) => `${name} ${count}`);
    screen.line(screen.paint("Drover is up.", "green"));
    screen.line();
    screen.fact("API", [api, ...others].join("  "));
    screen.fact("", `${api}/health  ${api}/metrics`);
    screen.fact("Agent", `${house.node}, runs tasks by ${house.executors.join(" and ")}`);
    screen.fact("", `at once: ${slots.join(", ")}`);
    screen.fact("Data", `${place}, kept for the next start`);
    screen.line();
    screen.line("Try, in another terminal:");
    for (const command of commandsToTry(api)) screen.line(`  ${command}`);
    screen.line();
    screen.line(screen.paint("Ctrl-C stops everything.", "dim"));
    const how = await Promise.race([house.ended, aborted(signal)]);
    screen.line();
    if (how !== undefined)
      throw new DroverError("unavailable", `Drover ended by itself (${how}); the reason is above.`);
    screen.status("Stopping ...");
    if (!(await house.stop())) screen.line("Something had to be ended by force.");
  } finally {
    const left = [...(await endProcesses(folder)), ...(await stopServer(folder))];
    screen.clear();
    if (left.length > 0) screen.fact("Ended", left.join(", "));
    release();
  }
  screen.line(`Stopped. The data stays in ${place}.`);
}

/** Ways to talk to it, to be typed in the root of the clone. */
export function commandsToTry(api: string): string[] {
  const task = { task: { execution: { executor: "EXECUTOR_PROCESS", command: ["echo", "hello"] } } };
  const address = api === "http://127.0.0.1:9097" ? "" : `--address ${api} `;
  return [
    `curl -s -H 'content-type: application/json' -d '${JSON.stringify(task)}' ${api}/drover.v1.TaskService/SubmitTask`,
    `npm run -s drover -- task submit ${address}--process --logs -- echo hello`,
    `npm run -s drover -- workflow run docs/example/document-report.yaml ${address}--watch -i "documents=[\\"$PWD/README.md\\"]"`,
    `npx buf curl --protocol grpc --http2-prior-knowledge -d '{}' ${api}/drover.v1.NodeService/ListNodes`,
  ];
}
