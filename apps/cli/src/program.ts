import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { DroverError } from "@drover/domain/error";
import type { Context } from "./command.ts";
import type { ExitCode } from "./exit.ts";
import type { World } from "./world.ts";

export interface ProgramOptions {
  program: "api" | "agent";
  args?: readonly string[];
  /** On top of the environment; undefined leaves a variable as it is. */
  env?: Readonly<Record<string, string | undefined>>;
}

/** Runs another program of Drover in the foreground, with the terminal as its own; its end is the end of the command. */
export async function runProgram({ world }: Context, options: ProgramOptions): Promise<ExitCode> {
  const { program, args = [], env = {} } = options;
  const child = spawn(world.programs.node, [programFile(world, program), ...args], {
    env: programEnv(world, env),
    stdio: "inherit",
  });
  // A Ctrl-C reaches both of us; a SIGTERM only the one that it was sent to.
  const pass = () => void child.kill("SIGTERM");
  world.stop.addEventListener("abort", pass, { once: true });
  if (program === "api") world.onReload?.(() => void child.kill("SIGHUP"));
  try {
    return (await endOf(child)).code === 0 ? 0 : 1;
  } finally {
    world.stop.removeEventListener("abort", pass);
  }
}

/** The file of a program; refuses where this installation lacks it. */
export function programFile({ programs }: World, program: "api" | "agent"): string {
  const file = programs[program];
  if (existsSync(file)) return file;
  throw new DroverError("not_found", `Expected the ${program} of Drover at ${file}, found nothing there.`, {
    hint: "install the whole of Drover: npm ci in a clone, or npm run bundle",
  });
}

/** The environment of a program: ours, without what only this client understands, and with what the flags say. */
export function programEnv({ env }: World, own: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = [...Object.entries(env), ...Object.entries(own).filter(([, value]) => value !== undefined)];
  const merged = new Map(
    entries.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])),
  );
  for (const name of clientOnly) merged.delete(name);
  return Object.fromEntries(merged);
}

/** The environment of one of several programs that are started together: keys of providers are for the agent alone. */
export function shareEnv(program: "api" | "agent", env: Readonly<Record<string, string>>): Record<string, string> {
  if (program === "agent") return { ...env };
  return Object.fromEntries(Object.entries(env).filter(([name]) => !forAgents.test(name)));
}

const clientOnly = ["DROVER_ADDRESS", "DROVER_NAMESPACE"];

const forAgents = /^(DROVER_AGENT|OPENAI|ANTHROPIC|GOOGLE|GEMINI|OLLAMA)_/;

/** How a process ended. */
export function endOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}
