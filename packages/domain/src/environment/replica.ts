import type { Network, Service, Volume } from "./declaration.ts";

/** What a replica's container is made from: its service, and the networks and volumes that it uses. */
export interface ReplicaSpec {
  service: Service;
  networks: Network[];
  volumes: Volume[];
}

/**
 * pending: not on a node yet. starting: image, container, first probes. running: its probes succeed. unhealthy: they do
 * not any more. failed: it ended, or never came up, and its restart policy or backoff has it wait.
 */
export const replicaStates = ["pending", "starting", "running", "unhealthy", "stopping", "stopped", "failed"] as const;
export type ReplicaState = (typeof replicaStates)[number];
