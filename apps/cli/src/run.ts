import { DroverError } from "@drover/domain/error";
import { commands } from "./catalog.ts";
import { createApiClient, parseAddress } from "./client.ts";
import { type ExitCode, exitCodeOf } from "./exit.ts";
import { toFault } from "./fault.ts";
import { globalVariables } from "./global.ts";
import { renderHelp } from "./help.ts";
import { createOutput, type Output } from "./output.ts";
import { type Parsed, parseCommandLine } from "./parse.ts";
import { sayFault } from "./say-fault.ts";
import type { World } from "./world.ts";

/** Runs one command line and says what to exit with; it never throws. */
export async function runDrover(world: World): Promise<ExitCode> {
  const { args, env, stdout, stderr } = world;
  // Asked before anything is parsed, so that a wrong command line is answered in the form that was wanted, too.
  const own = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length);
  const isColored = !own.includes("--no-color") && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  const output = createOutput({ stdout, stderr, isJson: own.includes("--json"), isColored });
  try {
    const parsed = parseCommandLine(args, commands);
    if (parsed.kind === "run") return await runCommand(world, output, parsed);
    stdout.write(renderHelp(parsed.words, commands, output.paint));
    return 0;
  } catch (error) {
    const fault = toFault(error, { address: "", commandName: "" });
    sayFault(output, fault);
    return exitCodeOf(fault.reason);
  }
}

async function runCommand(
  world: World,
  output: Output,
  { command, input, globals }: Parsed & { kind: "run" },
): Promise<ExitCode> {
  const { stop, connect, env } = world;
  const setting = (name: (typeof globalVariables)[number]["name"]) =>
    env[name] || globalVariables.find((each) => each.name === name)?.default;
  const address = parseAddress(globals.address ?? setting("DROVER_ADDRESS") ?? "");
  const namespace = globals.namespace ?? setting("DROVER_NAMESPACE") ?? "";
  const deadlineMs = globals.deadline;
  const deadline = deadlineMs === undefined ? undefined : AbortSignal.timeout(Math.min(deadlineMs, longestTimerMs));
  const signal = deadline === undefined ? stop : AbortSignal.any([stop, deadline]);
  const client = createApiClient({
    connect,
    address,
    namespace,
    ...(deadlineMs !== undefined && { timeoutMs: deadlineMs + 1000 }),
  });
  try {
    return await command.run({ world, output, client, commands, signal }, input);
  } catch (error) {
    if (stop.aborted) {
      output.note("Interrupted.");
      return 130;
    }
    const fault =
      deadline?.aborted === true && !isDeadline(error)
        ? deadlineFault(deadlineMs)
        : toFault(error, { address, commandName: command.name });
    sayFault(output, fault);
    return exitCodeOf(fault.reason);
  }
}

function isDeadline(error: unknown): boolean {
  return error instanceof DroverError && error.reason === "deadline";
}

function deadlineFault(deadlineMs: number | undefined): DroverError {
  return new DroverError("deadline", `The deadline of ${(deadlineMs ?? 0) / 1000} s passed before this was done.`, {
    hint: "the same with a longer --deadline",
  });
}

// Node fires a timer beyond 31 bits after 1 ms instead of waiting for it.
const longestTimerMs = 2 ** 31 - 1;
