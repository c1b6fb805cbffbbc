#!/usr/bin/env node
import { dirname, join } from "node:path";
import process from "node:process";
import { createConnectTransport } from "@connectrpc/connect-node";
import { runDrover } from "./run.ts";

const stop = new AbortController();
// Files that the API reads anew; without one, a terminal that is closed stops everything.
const hasFile = ["ENV_MANAGER_CONFIG", "DROVER_API_ENV_MANAGER_CONFIG"].some((name) => process.env[name]);
const reloads: (() => void)[] = [];
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (signal === "SIGHUP" && reloads.length > 0) return reloads.forEach((reload) => reload());
    // A second Ctrl-C means now.
    if (stop.signal.aborted && signal === "SIGINT") process.exit(130);
    stop.abort(signal);
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Who reads has gone, as in `drover task list | head`: there is nobody left to tell.
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
}

const folder = dirname(import.meta.filename);
const isBundle = import.meta.filename.endsWith(".js");
process.exitCode = await runDrover({
  args: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  stop: stop.signal,
  ...(hasFile && { onReload: (reload) => void reloads.push(reload) }),
  connect: ({ address, interceptors, timeoutMs }) =>
    createConnectTransport({ baseUrl: address, httpVersion: "1.1", interceptors, defaultTimeoutMs: timeoutMs }),
  nodeVersion: process.version,
  programs: {
    node: process.execPath,
    api: isBundle ? join(folder, "api.js") : join(folder, "../../api/src/main.ts"),
    agent: isBundle ? join(folder, "agent.js") : join(folder, "../../agent/src/main.ts"),
  },
});
