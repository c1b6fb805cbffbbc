import type { Network, Service, Volume } from "./declaration.ts";

/** What a replica's container is made from: its service, and the networks and volumes that it uses. */
export interface ReplicaSpec {
  service: Service;
  networks: Network[];
  volumes: Volume[];
}

export type { ReplicaState } from "./lifecycle.ts";
