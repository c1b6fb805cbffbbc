import type { AddressInfo, Server } from "node:net";
import { isIP } from "node:net";
import { DroverError } from "@drover/domain/error";
import type { ErrorReason } from "@drover/domain/error";

export interface ListenAddress {
  host: string;
  /** 0: any free port. */
  port: number;
}

export interface BoundAddress extends ListenAddress {
  /** For people and clients: http://127.0.0.1:9097 */
  url: string;
}

/** Reads `host:port`, `[::1]:port` or `:port` (every interface). */
export function parseAddress(text: string): ListenAddress {
  const match = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^:[\]\s]*)):(?<port>\d{1,5})$/.exec(text.trim());
  const { ipv6, name, port } = match?.groups ?? {};
  const isWrong = port === undefined || Number(port) > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6);
  if (isWrong) {
    throw new DroverError(
      "invalid",
      `Expected an address to listen on such as 127.0.0.1:9097 or [::1]:9097, got "${text}".`,
    );
  }
  return { host: ipv6 ?? (name || "::"), port: Number(port) };
}

/** Starts a server on an address and returns the one that it got. */
export async function bind(server: Server, { host, port }: ListenAddress, scheme: string): Promise<BoundAddress> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(bindError(error, host, port));
    server.once("error", fail);
    server.listen({ host, port }, () => {
      server.off("error", fail);
      resolve();
    });
  });
  // A listening TCP server has an AddressInfo; strings are for pipes.
  const bound = server.address() as AddressInfo;
  return { host, port: bound.port, url: `${scheme}://${format(host, bound.port)}` };
}

const bindFaults: Record<string, readonly [ErrorReason, string, string]> = {
  EADDRINUSE: [
    "conflict",
    "another process listens there",
    "Stop that one (`ss -ltnp` names it), or choose another address with --listen or DROVER_LISTEN.",
  ],
  EACCES: [
    "forbidden",
    "the operating system does not permit it",
    "Choose a port from 1024 on with --listen or DROVER_LISTEN, or give the process CAP_NET_BIND_SERVICE.",
  ],
  EADDRNOTAVAIL: ["invalid", "this machine has no such address", "Name one that `ip address` lists, or 127.0.0.1."],
  ENOTFOUND: ["invalid", "the name has no address", "Name an address that `ip address` lists, or 127.0.0.1."],
};

function bindError(error: NodeJS.ErrnoException, host: string, port: number): DroverError {
  const [reason, why, hint] = bindFaults[error.code ?? ""] ?? ["internal", error.message, "Choose another address."];
  return new DroverError(reason, `Cannot listen on ${format(host, port)}: ${why}.`, { hint, cause: error });
}

function format(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
