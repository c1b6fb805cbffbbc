import type { Interceptor, Transport } from "@connectrpc/connect";

/** Everything around the program that it reads or changes; main.ts takes it from the process, a test makes its own. */
export interface World {
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  stdin: AsyncIterable<Uint8Array> & { isTTY?: boolean };
  stdout: Terminal;
  stderr: Terminal;
  /** Aborted by Ctrl-C or SIGTERM. */
  stop: AbortSignal;
  /** Takes what is to be done at SIGHUP, where an API is to read a file anew; absent: SIGHUP stops. */
  onReload?: (reload: () => void) => void;
  connect: (options: ConnectOptions) => Transport;
  programs: Programs;
  nodeVersion: string;
}

export interface Terminal {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export interface ConnectOptions {
  address: string;
  interceptors: Interceptor[];
  /** For calls that name none. */
  timeoutMs: number;
}

/** How the other programs of Drover are started: the runtime and the file of each. */
export interface Programs {
  node: string;
  api: string;
  agent: string;
}
