/** How a set of long-running services should be, as stored with its generation (JSON, camelCase; source: packages/environment). */
export interface Declaration {
  name: string;
  services: Service[];
  /** Docker networks of the environment, made on every node that runs a replica of it. */
  networks: Network[];
  /** Named volumes of the environment, made on every node that mounts one. */
  volumes: Volume[];
  /** true: all replicas go to one node, where they reach each other by name. */
  isTogether: boolean;
  labels: Record<string, string>;
}

export interface Network {
  name: string;
  /** true: nothing outside the network can be reached. */
  isInternal?: boolean;
  /** true: it is there already, under this very name, and is not ours to make or remove. */
  isExternal?: boolean;
}

export interface Volume {
  name: string;
  isExternal?: boolean;
}

export interface Service {
  name: string;
  /** With the digest where it is known: `redis:7-alpine@sha256:...`. */
  image: string;
  pull: PullPolicy;
  /** In place of the image's command. */
  command?: string[];
  /** In place of the image's entrypoint. */
  entrypoint?: string[];
  env: Record<string, EnvValue>;
  ports: Port[];
  mounts: ServiceMount[];
  /** Names of networks; the first is the main one. */
  networks: string[];
  dependsOn: string[];
  health?: HealthCheck;
  /** false: a failure of it does not make its environment fail. */
  isRequired: boolean;
  restart: RestartPolicy;
  resources: ServiceResources;
  replicas: number;
  placement: Constraints;
  update: UpdatePolicy;
  onDisconnect: DisconnectPolicy;
  /** Seconds from SIGTERM to SIGKILL. */
  stopGraceSeconds: number;
  user?: string;
  workingDir?: string;
  isReadOnlyRoot: boolean;
  /** true: process 1 is the engine's own init, which hands on signals and clears away children that ended. */
  hasInit?: boolean;
  /** What becomes of a container that was changed by hand; absent: as its node is set. */
  drift?: DriftPolicy;
  labels: Record<string, string>;
}

/** converge: it is made anew. observe: the change is told of, and stays. */
export type DriftPolicy = "converge" | "observe";

export type PullPolicy = "missing" | "always" | "never";

/** A text, or the name of a secret that the node's agent holds. */
export type EnvValue = string | { secret: string };

export interface Port {
  containerPort: number;
  /** Absent: the engine chooses one. */
  hostPort?: number;
  /** Default 127.0.0.1. */
  hostIp: string;
  protocol: "tcp" | "udp";
}

export type ServiceMount =
  | { kind: "volume"; volume: string; mountPath: string; isReadOnly: boolean }
  | { kind: "bind"; hostPath: string; mountPath: string; isReadOnly: boolean }
  | { kind: "tmpfs"; mountPath: string; sizeBytes?: number };

/** How it is found out whether a replica works; seconds may have fractions. */
export interface HealthCheck {
  probe: Probe;
  /** Between two probes once it is healthy. */
  intervalSeconds: number;
  /** For one probe. */
  timeoutSeconds: number;
  /** Failures in a row that make a healthy replica unhealthy. */
  retries: number;
  /** How long a start may take before the replica counts as failed. */
  startSeconds: number;
}

/** Ports are those inside the container. */
export type Probe =
  | { kind: "http"; port: number; path: string; scheme: "http" | "https"; headers?: Record<string, string> }
  /** An address as seen from the node, as the registries of other systems give it. */
  | { kind: "url"; url: string }
  | { kind: "tcp"; port: number }
  | { kind: "command"; command: string[] }
  | { kind: "redis"; port: number }
  | { kind: "grpc"; port: number; service?: string };

export interface RestartPolicy {
  when: "always" | "on-failure" | "never";
  /** Absent: without end. Counted anew once it has been healthy for ten minutes. */
  maxRestarts?: number;
  baseDelaySeconds: number;
  maxDelaySeconds: number;
}

export interface ServiceResources {
  cpuMillicores?: number;
  memoryBytes?: number;
  pids?: number;
  shmBytes?: number;
  gpus?: GpuRequest;
}

/** GPUs that one task or replica needs; every condition holds for each of them. */
export interface GpuRequest {
  count: number;
  /** whole: nobody else uses them. mig: slices. shared: a place on a GPU that several use at once. */
  share: "whole" | "mig" | "shared";
  /** Part of the model's name, without regard to case: `H100`. */
  model?: string;
  /** A class that the operator gave to GPUs by the node label `gpu-class`. */
  class?: string;
  /** At least so much for each; of a shared GPU, so much is set aside. */
  memoryMib?: number;
  /** Of MIG slices: `1g.10gb`. */
  profile?: string;
}

/** Which nodes may run it. */
export interface Constraints {
  /** Name of the only node that may. */
  node?: string;
  /** Labels that the node must have; an empty value asks only for the label. */
  labels: Record<string, string>;
  /** Labels that it must not have. */
  notLabels: Record<string, string>;
  /** Taints that are put up with; `*`: all. */
  tolerates: string[];
  /** binpack: the fullest node that has room. spread: the one with the fewest of its kind. */
  strategy: "binpack" | "spread";
  /** Model files, as paths below the nodes' model folders: nodes that have them are preferred. */
  models: string[];
}

export interface UpdatePolicy {
  /** How many replicas may be away for an update at once. */
  maxUnavailable: number;
  /** How long a new replica must stay healthy before the next one is updated. */
  healthySeconds: number;
  /** When a new replica fails: stop there, or go back to the generation before. */
  onFailure: "pause" | "rollback";
}

/**
 * What happens to work on a node that cannot reach the database. keep: it runs on, and nothing takes its place. stop:
 * the node stops it after so many seconds, and another node takes over. replace: it runs on there until the node comes
 * back, and another node takes over as soon as the node is lost.
 */
export interface DisconnectPolicy {
  kind: "keep" | "stop" | "replace";
  /** Of stop: seconds after the last answer of the database. */
  afterSeconds?: number;
}
