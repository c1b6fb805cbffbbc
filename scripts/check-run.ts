import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { stripVTControlCharacters } from "node:util";

const root = join(import.meta.dirname, "..");

/** Runs a tool of node_modules/.bin or of the machine and returns its output; rejects with all that it said. */
export async function run(command: string, args: string[], input = "", cwd = root): Promise<string> {
  const PATH = [join(root, "node_modules/.bin"), process.env["PATH"]].join(delimiter);
  const env = {
    ...process.env,
    PATH,
    NO_COLOR: "1",
    FORCE_COLOR: "0",
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
  };
  const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => undefined); // a program need not read what it is given
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  const [output, errors, code] = await Promise.all([readText(child.stdout), readText(child.stderr), ended]);
  if (code === 0) return output;
  const said = [output.trim(), errors.trim(), `${command} ended with ${code}.`].filter(Boolean).join("\n");
  throw new Error(stripVTControlCharacters(said)); // some tools colour whatever they are told
}
