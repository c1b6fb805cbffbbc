import { createConnectTransport } from "@connectrpc/connect-node";
import { runDrover } from "../../apps/cli/src/run.ts";
import type { Terminal } from "../../apps/cli/src/world.ts";
import type { Screen } from "./screen.ts";

export interface DroverOptions {
  address: string;
  terminal: Terminal;
  screen: Screen;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

/** The command line as a person would use it: says the command, runs it, and answers with its exit code. */
export function createDrover({ address, terminal, screen, env, signal }: DroverOptions) {
  return async (...args: string[]): Promise<number> => {
    const typed = args.map((word) => (/^[\w./=-]+$/.test(word) ? word : `'${word}'`));
    screen.line(screen.paint(`$ drover ${typed.join(" ")}`, "bold"));
    const code = await runDrover({
      args: [...args, "--address", address],
      env: { NO_COLOR: env["NO_COLOR"], TERM: env["TERM"] },
      stdin: emptyInput(),
      stdout: terminal,
      stderr: terminal,
      stop: signal,
      connect: ({ address: baseUrl, interceptors, timeoutMs }) =>
        createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors, defaultTimeoutMs: timeoutMs }),
      nodeVersion: process.version,
      programs: { node: process.execPath, api: "", agent: "" },
    });
    signal.throwIfAborted();
    screen.line();
    return code;
  };
}

async function* emptyInput(): AsyncGenerator<Uint8Array> {}
