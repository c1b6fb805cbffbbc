import { ownerLabels } from "./owner.ts";

/** The labels by which an agent knows the containers and networks of its replicas again. */
export const replicaLabels = {
  holder: ownerLabels.holder,
  namespace: "drover.namespace",
  replica: "drover.replica",
  environment: "drover.environment",
  service: "drover.service",
  number: "drover.number",
  specHash: "drover.spec_hash",
  round: "drover.round",
  /** Seconds without the control plane after which it is stopped. */
  stopAfter: "drover.stop_after_seconds",
  network: "drover.network",
} as const;
