import type { Inspection } from "../../docker/service-engine.ts";

export interface Address {
  host: string;
  port: number;
}

/** Where the node reaches a port of a container: at its own address, or where the node publishes it. */
export function findAddress({ NetworkSettings: settings }: Inspection, port: number): Address | undefined {
  for (const { IPAddress: v4, GlobalIPv6Address: v6 } of Object.values(settings.Networks ?? {})) {
    if (v4 || v6) return { host: v4 || v6, port };
  }
  const [published] = settings.Ports?.[`${port}/tcp`] ?? [];
  if (published === undefined) return undefined;
  const { HostIp: ip, HostPort: hostPort } = published;
  const anywhere: Record<string, string> = { "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1" };
  return { host: anywhere[ip] ?? ip, port: Number(hostPort) };
}
