import type { Port } from "../environment/declaration.ts";

/** The first port of a node that is wanted and taken, as `ip:port/protocol`, and by whom. */
export function takenPort(
  taken: ReadonlyMap<string, string>,
  ports: readonly Port[],
): { text: string; holder: string } | undefined {
  if (taken.size === 0) return undefined;
  for (const port of ports) {
    const text = hostPortText(port);
    const holder = text === undefined ? undefined : holderOf(taken, port);
    if (text !== undefined && holder !== undefined) return { text, holder };
  }
  return undefined;
}

/** A port of the node as `ip:port/protocol`; undefined where the engine chooses one. */
export function hostPortText(port: Port): string | undefined {
  return port.hostPort === undefined ? undefined : `${port.hostIp}:${port.hostPort}/${port.protocol}`;
}

/** A port of all addresses is in the way of the same port of any address, and the other way round. */
function holderOf(taken: ReadonlyMap<string, string>, port: Port): string | undefined {
  const end = `:${port.hostPort}/${port.protocol}`;
  if (!wildcards.includes(port.hostIp)) {
    const ip = [port.hostIp, ...wildcards].find((one) => taken.has(one + end));
    return ip === undefined ? undefined : taken.get(ip + end);
  }
  for (const [text, holder] of taken) if (text.endsWith(end)) return holder;
  return undefined;
}

const wildcards = ["0.0.0.0", "::", "[::]", ""];
