#!/usr/bin/env node
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { createConnectTransport } from "@connectrpc/connect-node";
import { runDspyAgent } from "./run.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(signal));
for (const stream of [process.stdout, process.stderr]) {
  // Who reads has gone: there is nobody left to tell.
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
}

const folder = dirname(import.meta.filename);
const isBundle = import.meta.filename.endsWith(".js");
process.exitCode = await runDspyAgent({
  args: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stop: stop.signal,
  homeDir: homedir(),
  tempDir: tmpdir(),
  node: process.execPath,
  drover: isBundle ? join(folder, "drover.js") : join(folder, "../main.ts"),
  kill(pid, signal) {
    try {
      return process.kill(pid, signal);
    } catch (error) {
      // That of somebody else is there, too.
      return (error as NodeJS.ErrnoException).code === "EPERM";
    }
  },
  connect: (address) => createConnectTransport({ baseUrl: `http://${address}`, httpVersion: "1.1" }),
});
