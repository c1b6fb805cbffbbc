import { canonicalJson } from "../json.ts";
import type { Declaration, Service } from "./declaration.ts";
import type { ReplicaSpec } from "./replica.ts";

/** What the replicas of a service are made from: the service with the labels of its environment, and what it uses of it. */
export function replicaSpec(declaration: Declaration, service: Service): ReplicaSpec {
  const mounted = new Set(service.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount.volume] : [])));
  return {
    service: { ...service, labels: { ...declaration.labels, ...service.labels } },
    networks: declaration.networks.filter(({ name }) => service.networks.includes(name)),
    volumes: declaration.volumes.filter(({ name }) => mounted.has(name)),
  };
}

/**
 * Everything that a container is made from, as canonical text: replicas with equal texts can share a container, and a
 * change of it asks for a new one. The rest of a service is left out because nothing of a container depends on it:
 * health, restart, pull, stopGraceSeconds, dependsOn, drift and onDisconnect are what the agent does with a container, which it
 * reads anew at each turn; replicas, update and isRequired are for the control plane; placement is about where it runs
 * (`placementText`).
 */
export function containerText({ service, networks, volumes }: ReplicaSpec): string {
  const { image, command, entrypoint, env, ports, mounts, user, workingDir, isReadOnlyRoot, hasInit, labels } = service;
  const made = { image, command, entrypoint, env, ports, mounts, user, workingDir, isReadOnlyRoot, hasInit, labels };
  // The first network is the main one, so the order is that of the service.
  const ordered = service.networks.map((name) => networks.find((network) => network.name === name) ?? { name });
  return canonicalJson({ ...made, resources: service.resources, networks: ordered, volumes });
}

/**
 * What a node must have and give for a replica, as canonical text: a change of it asks for a new place, which may be the
 * same node. Preferences (strategy, models) are no reason to move.
 */
export function placementText({ service }: ReplicaSpec): string {
  const { cpuMillicores, memoryBytes, gpus } = service.resources;
  const { node, labels, notLabels, tolerates } = service.placement;
  const hostPorts = service.ports
    .filter(({ hostPort }) => hostPort !== undefined)
    .map(({ hostIp, hostPort, protocol }) => `${hostIp}:${hostPort}/${protocol}`)
    .toSorted();
  return canonicalJson({ cpuMillicores, memoryBytes, gpus, node, labels, notLabels, tolerates, hostPorts });
}
