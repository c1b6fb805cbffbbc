import type { ReplicaSpec } from "./environment/replica.ts";
import type { PlacementRequest } from "./placement/request.ts";

/** What a replica asks of the node that will run it; those of one service are of one kind. */
export function replicaRequest({ service }: ReplicaSpec, serviceId: number): PlacementRequest {
  const { resources, placement, image, ports } = service;
  return {
    kind: replicaKind(serviceId),
    name: service.name,
    executor: "docker",
    cpuMillicores: resources.cpuMillicores ?? 0,
    memoryBytes: resources.memoryBytes ?? 0,
    ...(resources.gpus !== undefined && resources.gpus.count > 0 && { gpus: resources.gpus }),
    constraints: placement,
    image,
    ports,
  };
}

/** Replicas of one service avoid each other. */
export function replicaKind(serviceId: number): string {
  return `service ${serviceId}`;
}
