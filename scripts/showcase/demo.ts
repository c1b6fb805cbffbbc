import { basename, join, relative } from "node:path";
import { performance } from "node:perf_hooks";
import { DroverError } from "@drover/domain/error";
import type { Terminal } from "../../apps/cli/src/world.ts";
import { createApi } from "./api.ts";
import { runFlow } from "./flow.ts";
import { type House, startHouse } from "./house.ts";
import { clearRun, findDeadRuns, makeRunFolder } from "./leftover.ts";
import { chooseModel } from "./model.ts";
import type { Screen } from "./screen.ts";
import { describeWarning } from "./warning.ts";
import { type Choice, chooseWay, findEngine } from "./way.ts";
import { copyInput, doWork } from "./work.ts";

export interface DemoOptions {
  root: string;
  /** How many files are counted. */
  tasks: number;
  /** As in DOCKER_HOST. */
  dockerHost: string;
  env: Readonly<Record<string, string | undefined>>;
  screen: Screen;
  /** Where the screen writes. */
  terminal: Terminal;
  signal: AbortSignal;
}

const slots = 4;
const settings = {
  DROVER_LISTEN: "127.0.0.1:0",
  DROVER_STOP_SECONDS: "5",
  DROVER_AGENT_LISTEN: "127.0.0.1:0",
  DROVER_AGENT_SLOTS: `cpu_short=${slots}`,
  DROVER_AGENT_GRACE_SECONDS: "1",
  DROVER_AGENT_STOP_SECONDS: "6",
  DROVER_AGENT_LLM_ECHO: "true",
};

/** Starts Drover, lets it count this clone's files, runs a workflow over its documents, and leaves only a report behind. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { root, tasks, dockerHost, env, screen, terminal, signal } = options;
  const startedAt = performance.now();
  const base = join(root, ".drover");
  const found = await findEngine(dockerHost);
  const engine = "engine" in found ? found.engine : undefined;
  screen.line();
  screen.line(
    screen.paint("Drover counts the words of its own source, then reports on its own documentation.", "bold"),
  );
  screen.line();
  for (const dead of findDeadRuns(base)) {
    const left = await clearRun(dead, engine);
    screen.fact("Cleared", ["what a killed demo left", ...left].join(", "));
  }
  const folder = makeRunFolder(base);
  let house: House | undefined;
  let choice: Choice | undefined;
  try {
    const onStep = (text: string) => screen.status(`Docker: ${text}`);
    choice = await chooseWay({ host: dockerHost, folder, path: env["PATH"] ?? "", signal, onStep });
    screen.status("Starting PostgreSQL, API and agent ...");
    const files = copyInput(root, join(folder, "input"), tasks);
    house = await start(options, folder, choice);
    screen.fact("PostgreSQL", `from npm, its data in ${relative(root, folder)}`);
    screen.fact("API", house.urls.join("  "));
    screen.fact("Agent", `${house.node}, ${slots} tasks at once`);
    screen.fact("Tasks run", choice.told);
    if (choice.image !== undefined) screen.fact("Image", choice.image);
    screen.line();
    const address = house.urls[0] ?? "";
    const call = createApi({ address, signal });
    const { way } = choice;
    const work = async () => {
      await doWork({ call, files, way, screen, signal });
      screen.line();
      await runFlow({ root, folder, address, call, choice: chooseModel(env), terminal, screen, env, signal });
    };
    await Promise.race([work(), endedEarly(house)]);
  } finally {
    screen.status("Stopping ...");
    const isClean = (await house?.stop()) ?? true;
    await choice?.release();
    const left = await clearRun(folder, engine);
    screen.clear();
    if (!isClean || left.length > 0) screen.fact("Forced", left.join(", ") || "what did not stop in time");
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  screen.line(
    `Everything but the report is stopped and removed again, after ${seconds} s. Next: ${screen.paint("scripts/dev", "bold")}`,
  );
  screen.line();
}

async function start(
  { root, dockerHost, env, screen, signal }: DemoOptions,
  folder: string,
  { way }: Choice,
): Promise<House> {
  const isDocker = way.executor === "docker";
  const docker = { DROVER_AGENT_MOUNTS: join(folder, "input"), DROVER_AGENT_DOCKER_HOST: dockerHost };
  const house = await startHouse({
    root,
    folder,
    args: ["--data", folder, "--node", basename(folder), "--process"],
    // A person's settings of Drover are meant for a Drover of that person's own.
    env: {
      ...Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("DROVER_"))),
      ...settings,
      ...(isDocker ? docker : { DROVER_AGENT_DOCKER: "false" }),
    },
    signal,
    onWarning: (line) => screen.line(describeWarning(line, screen.paint)),
  });
  if (house.executors.includes(way.executor)) return house;
  await house.stop();
  const offered = house.executors.join(", ") || "nothing";
  throw new DroverError("unavailable", `Expected the agent to offer ${way.executor}, it offers ${offered}.`);
}

async function endedEarly(house: House): Promise<never> {
  const how = await house.ended;
  throw new DroverError("unavailable", `Drover ended in the middle of the work (${how}); the reason is above.`);
}
