import type { Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { EnvManagerService } from "@drover/proto/env_manager/env_manager";
import type { DspyAgentConfig } from "@drover/environment/dspy-agent-config";
import { getPage } from "../http-get.ts";

/** Everything around the program that it reads or changes; main.ts takes it from the process, a test makes its own. */
export interface Place {
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  stop: AbortSignal;
  homeDir: string;
  tempDir: string;
  /** How drover itself is started: the runtime and its file. */
  node: string;
  drover: string;
  connect: (address: string) => Transport;
  /** Sends a signal, 0: none; whether the process is there. */
  kill: (pid: number, signal: NodeJS.Signals | 0) => boolean;
}

/** What a command works with. */
export interface Task {
  place: Place;
  config: DspyAgentConfig;
  flags: Flags;
}

export interface Flags {
  workspace?: string;
  gpu?: boolean;
  services?: string;
  daemon?: boolean;
  timeout?: string;
  force?: boolean;
  follow?: boolean;
  tail?: string;
  service?: string;
}

/** An address that can be connected to. */
export function reachable(address: string): string {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
  return `${host === "" || host === "0.0.0.0" || host === "localhost" ? "127.0.0.1" : host}:${port}`;
}

/** The env-manager's interface at the address of the configuration. */
export function envManager({ place, config }: Task) {
  return createClient(EnvManagerService, place.connect(reachable(config.envManagerAddress)));
}

/** Whether a server is there and ready. */
export async function isReady({ place, config }: Task): Promise<boolean> {
  const url = `http://${reachable(config.envManagerAddress)}/health/ready`;
  const page = await getPage({ url, signal: place.stop, timeoutMs: 2000 }).catch(() => undefined);
  return page?.status === 200;
}

export function say(place: Place, line: string): void {
  place.stdout.write(`${line}\n`);
}

export function complain(place: Place, line: string): void {
  place.stderr.write(`${line}\n`);
}
