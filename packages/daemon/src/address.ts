import { BlockList, isIPv6 } from "node:net";

/** Where to listen or to connect. An IPv6 host stands without brackets. */
export interface Address {
  host: string;
  port: number;
}

/** Reads `host:port`, `[::1]:port` included; undefined when it is not one. Port 0 lets the system choose. */
export function parseAddress(text: string): Address | undefined {
  const match = addressPattern.exec(text.trim());
  const host = match?.groups?.["ipv6"] ?? match?.groups?.["host"];
  const port = Number(match?.groups?.["port"]);
  if (host === undefined || port > 65_535) return undefined;
  if (match?.groups?.["ipv6"] !== undefined && !isIPv6(host)) return undefined;
  return { host, port };
}

const addressPattern = /^(?:\[(?<ipv6>[^\]]+)\]|(?<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)):(?<port>\d{1,5})$/i;

/** Writes an address the way parseAddress reads it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach the host. Names but localhost are not, whatever they resolve to now. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  return loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");
