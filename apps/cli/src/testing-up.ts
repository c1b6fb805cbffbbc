import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const main = join(import.meta.dirname, "main.ts");

/** Starts database, API and agent in a folder of the test's own, on ports that the system chooses. */
export async function startUp(dataDir: string, ...more: string[]) {
  const env = { PATH: process.env["PATH"], DROVER_AGENT_LISTEN: "127.0.0.1:0", DROVER_AGENT_DOCKER: "false" };
  const flags = ["--json", "--process", "--node", "test-up", "--data", dataDir, "--listen", "127.0.0.1:0", ...more];
  const child = spawn(process.execPath, [main, "up", ...flags], { env, stdio: ["ignore", "pipe", "pipe"] });
  const err = text(child.stderr);
  const ended = once(child, "exit").then(async ([code, signal]: unknown[]) => ({ code, signal, err: await err }));
  const [first] = (await Promise.race([once(child.stdout, "data"), ended.then(({ err: said }) => [`"${said}"`])])) as [
    Buffer,
  ];
  const { urls, node } = JSON.parse(String(first)) as { urls: string[]; node: { state: string; executors: string[] } };
  return { child, ended, address: urls[0] ?? "", node };
}
