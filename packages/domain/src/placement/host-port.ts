import type { Port } from "../environment/declaration.ts";

/** The first port of a node that is wanted and taken, as `ip:port/protocol`. */
export function takenPort(taken: ReadonlySet<string>, ports: readonly Port[]): string | undefined {
  if (taken.size === 0) return undefined;
  for (const port of ports) if (port.hostPort !== undefined && isTaken(taken, port)) return hostPortText(port);
  return undefined;
}

/** A port of the node as `ip:port/protocol`; undefined where the engine chooses one. */
export function hostPortText(port: Port): string | undefined {
  return port.hostPort === undefined ? undefined : `${port.hostIp}:${port.hostPort}/${port.protocol}`;
}

/** A port of all addresses is in the way of the same port of any address, and the other way round. */
function isTaken(taken: ReadonlySet<string>, port: Port): boolean {
  const end = `:${port.hostPort}/${port.protocol}`;
  if (!wildcards.includes(port.hostIp)) return [port.hostIp, ...wildcards].some((ip) => taken.has(ip + end));
  for (const text of taken) if (text.endsWith(end)) return true;
  return false;
}

const wildcards = ["0.0.0.0", "::", "[::]", ""];
