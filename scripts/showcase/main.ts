import { join } from "node:path";
import { parseArgs } from "node:util";
import { DroverError } from "@drover/domain/error";
import { runDemo } from "./demo.ts";
import { runDev } from "./dev.ts";
import { createScreen } from "./screen.ts";

const root = join(import.meta.dirname, "../..");
const { env, stdout } = process;
const screen = createScreen({ stdout, isColored: !env["NO_COLOR"] && env["TERM"] !== "dumb" });
const dockerHost = env["DOCKER_HOST"] || undefined;
const stopping = new AbortController();
// Heard again and again: what was started is stopped in its order, and that takes only seconds.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort(signal));
stdout.on("error", () => stopping.abort("EPIPE")); // nobody reads any more

const [command = "", ...args] = process.argv.slice(2);

try {
  switch (command) {
    case "demo":
      await runDemo({
        root,
        ...readDemoArgs(),
        dockerHost: dockerHost ?? "unix:///var/run/docker.sock",
        env,
        screen,
        terminal: stdout,
        signal: stopping.signal,
      });
      break;
    case "dev":
      await runDev({ root, ...readDevArgs(), dockerHost, env, screen, signal: stopping.signal });
      break;
    default:
      throw new DroverError("invalid", `Expected demo or dev, got "${command}".`);
  }
  process.exit(0);
} catch (error) {
  screen.clear();
  if (stopping.signal.aborted) {
    screen.line(
      command === "demo"
        ? "Interrupted; everything is stopped and removed again."
        : "Interrupted; everything is stopped.",
    );
    process.exit(130);
  }
  console.error(
    error instanceof DroverError ? `  ${[error.message, error.facts.hint].filter(Boolean).join("\n  ")}` : error,
  );
  process.exit(1);
}

function readDemoArgs(): { tasks: number } {
  const { tasks } = readArgs({ tasks: { type: "string" } });
  const count = Number(tasks ?? 40);
  if (Number.isInteger(count) && count >= 1 && count <= 100) return { tasks: count };
  throw new DroverError("invalid", `--tasks: expected a whole number from 1 to 100, got ${tasks}.`);
}

function readDevArgs(): { data: string; listen: string | undefined } {
  const { data, listen } = readArgs({ data: { type: "string" }, listen: { type: "string" } });
  return { data: data ?? (env["DROVER_DATA_DIR"] || join(root, ".drover")), listen };
}

function readArgs<const Name extends string>(options: Record<Name, { type: "string" }>): Partial<Record<Name, string>> {
  try {
    return parseArgs({ args, options }).values;
  } catch (cause) {
    const usage = Object.keys(options)
      .map((name) => `[--${name} ...]`)
      .join(" ");
    throw new DroverError("invalid", `Expected: scripts/${command} ${usage}, got: ${args.join(" ")}`, { cause });
  }
}
