import type { Declaration, Port, Service } from "@drover/domain/environment/declaration";
import { quote } from "@drover/document/source/fault";

/** A port of the node that cannot be given as it is asked for. */
interface HostPortConflict {
  service: string;
  /** Of the port, among those of its service. */
  index: number;
  message: string;
  hint: string;
}

/** Ports that two would have to listen on at the same node. */
export function hostPortConflicts({ services, isTogether }: Declaration): HostPortConflict[] {
  const conflicts: HostPortConflict[] = [];
  const taken = new Map<string, { service: Service; port: Port }[]>();
  for (const service of services) {
    for (const [index, port] of service.ports.entries()) {
      if (port.hostPort === undefined) continue;
      const written = `${port.hostPort}/${port.protocol}`;
      const others = taken.get(written) ?? [];
      const other = others.find((one) => overlap(one.port, port) && meet(one.service, service, isTogether));
      if (other !== undefined) {
        const owner = other.service === service ? "twice here" : `that of ${quote(other.service.name)}`;
        conflicts.push({
          service: service.name,
          index,
          message: `Expected a port of the node for ${quote(service.name)} alone, got ${written}, ${owner}.`,
          hint: "Take another one, or leave it out and Docker chooses one.",
        });
      } else if (service.replicas > 1 && (isTogether || service.placement.node !== undefined)) {
        conflicts.push({
          service: service.name,
          index,
          message: `Expected one replica of ${quote(service.name)} on one node, because of its port ${written} there, got ${service.replicas}.`,
          hint: `Write only ${port.containerPort}, and Docker chooses a port for each, or set together: false and name no node.`,
        });
      }
      taken.set(written, [...others, { service, port }]);
    }
  }
  return conflicts;
}

/** Whether replicas of both will stand on one node for sure. */
function meet(one: Service, other: Service, isTogether: boolean): boolean {
  if (one === other) return true;
  if (one.replicas === 0 || other.replicas === 0) return false;
  return isTogether || (one.placement.node !== undefined && one.placement.node === other.placement.node);
}

/** Of the same number: a port of all addresses is in the way of any address, as placement sees it. */
function overlap(one: Port, other: Port): boolean {
  const isAny = (ip: string) => ip === "0.0.0.0" || ip === "::";
  return isAny(one.hostIp) || isAny(other.hostIp) || one.hostIp === other.hostIp;
}
