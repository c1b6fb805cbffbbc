import type { WantedReplica } from "@drover/db/node/replica";
import type { Port, Service } from "@drover/domain/environment/declaration";
import type { Mount } from "@drover/domain/execution";
import { checkMounts } from "../docker/mount.ts";
import { markOf, type Owner } from "../docker/owner.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import type { CreateOptions } from "../docker/service-engine.ts";
import { type AllocatedGpu, gpuRequest } from "../gpu/device-request.ts";
import { containerName, networkAliases, resourceName } from "./name.ts";
import { resolveEnv } from "./secret.ts";

export interface ContainerRules extends Owner {
  /** Folder of the secrets; undefined: none. */
  secretsDir?: string;
  /** Host paths at or below which services may mount. */
  allowedHostPaths: readonly string[];
  /** Folder of the tasks, which nobody else may mount. */
  taskBase: string;
  /** What is known of the device nodes of a GPU. */
  describeGpu?: (uuid: string) => Pick<AllocatedGpu, "deviceNodes" | "deviceGroups"> | undefined;
  /** Whether the host has GPUs: containers without any are kept from seeing them. */
  hasGpus?: () => boolean;
}

/** What to make, or why it cannot be made, as a sentence. */
export type Plan = { ok: true; name: string; options: CreateOptions } | { ok: false; message: string };

/** Describes a replica's container to the engine. */
export async function planContainer(wanted: WantedReplica, rules: ContainerRules): Promise<Plan> {
  const { service } = wanted.spec;
  const resolved = await resolveEnv(service.env, rules.secretsDir);
  if (!resolved.ok) return resolved;
  const binds = service.mounts.flatMap((mount): Mount[] => {
    if (mount.kind !== "bind") return [];
    return [{ hostPath: mount.hostPath, mountPath: mount.mountPath, readOnly: mount.isReadOnly }];
  });
  const checked = await checkMounts(binds, rules);
  if (!checked.ok) return checked;
  const gpus = gpuRequest({ gpus: (wanted.gpus ?? []).map((gpu) => describe(gpu, rules)) });
  const hidesGpus = wanted.gpus !== null || rules.hasGpus?.() === true;
  const env = { ...resolved.env, ...(hidesGpus && gpus.env) };
  return {
    ok: true,
    name: containerName(wanted),
    options: {
      Image: service.image,
      ...(service.command && { Cmd: service.command }),
      ...(service.entrypoint && { Entrypoint: service.entrypoint }),
      ...(service.user !== undefined && { User: service.user }),
      ...(service.workingDir !== undefined && { WorkingDir: service.workingDir }),
      Hostname: `${service.name}-${wanted.number}`.slice(0, 63),
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      Labels: { ...service.labels, ...labelsOf(wanted, rules), ...gpus.labels },
      ExposedPorts: Object.fromEntries(service.ports.map((port) => [portKey(port), {}])),
      StopTimeout: Math.ceil(service.stopGraceSeconds),
      HostConfig: {
        ...hostOptions(service),
        ...gpus.hostConfig,
        Mounts: [...checked.mounts, ...volumesOf(wanted)],
        NetworkMode: dockerNetworks(wanted)[0] ?? "none",
      },
      ...endpointOf(wanted),
    },
  };
}

/** The engine's names of a replica's networks, the main one first. */
export function dockerNetworks(wanted: WantedReplica): string[] {
  return wanted.spec.service.networks.map((name) => {
    const declared = wanted.spec.networks.find((network) => network.name === name);
    return resourceName(wanted, declared ?? { name });
  });
}

/** As the engine writes a port: `80/tcp`. */
export function portKey({ containerPort, protocol }: Pick<Port, "containerPort" | "protocol">): string {
  return `${containerPort}/${protocol}`;
}

// Of the engine's usual capabilities those stay that images need to give up root, own their files and listen on low
// ports (redis, postgres, nginx do); raw sockets, device nodes, file capabilities and audit records no service needs.
const droppedCapabilities = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT"];

/** How the engine is to confine a service, and what it lets through. */
export function hostOptions(service: Service): NonNullable<CreateOptions["HostConfig"]> {
  const { cpuMillicores, memoryBytes, pids, shmBytes } = service.resources;
  return {
    PortBindings: bindingsOf(service.ports),
    Privileged: false,
    CapDrop: droppedCapabilities,
    SecurityOpt: ["no-new-privileges"],
    IpcMode: "private",
    // Restarts are the agent's alone: the engine knows neither dependencies nor whether this node may still run it.
    RestartPolicy: { Name: "no" },
    LogConfig: { Type: "local", Config: { "max-size": "16m", "max-file": "3" } },
    PidsLimit: pids ?? defaultPids,
    ...(cpuMillicores !== undefined && { NanoCpus: cpuMillicores * 1_000_000 }),
    ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(shmBytes !== undefined && { ShmSize: shmBytes }),
    ReadonlyRootfs: service.isReadOnlyRoot,
    ...(service.hasInit === true && { Init: true }),
  };
}

/** Far more than a service takes, and few enough that a runaway one does not take the host with it. */
const defaultPids = 4096;

function bindingsOf(ports: readonly Port[]): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    const host = { HostIp: port.hostIp, HostPort: port.hostPort === undefined ? "" : String(port.hostPort) };
    (bindings[portKey(port)] ??= []).push(host);
  }
  return bindings;
}

type MountOptions = NonNullable<NonNullable<CreateOptions["HostConfig"]>["Mounts"]>;

function volumesOf(wanted: WantedReplica): MountOptions {
  const { service, volumes } = wanted.spec;
  return service.mounts.flatMap((mount): MountOptions => {
    if (mount.kind === "bind") return [];
    if (mount.kind === "tmpfs") {
      const size = mount.sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.sizeBytes, Mode: 0o1777 } };
      return [{ Type: "tmpfs", Source: "", Target: mount.mountPath, ...size }];
    }
    const declared = volumes.find(({ name }) => name === mount.volume) ?? { name: mount.volume };
    const Source = resourceName(wanted, declared);
    return [{ Type: "volume", Source, Target: mount.mountPath, ReadOnly: mount.isReadOnly }];
  });
}

function endpointOf(wanted: WantedReplica): Pick<CreateOptions, "NetworkingConfig"> {
  const [main] = dockerNetworks(wanted);
  if (main === undefined) return {};
  return { NetworkingConfig: { EndpointsConfig: { [main]: { Aliases: networkAliases(wanted) } } } };
}

function labelsOf(wanted: WantedReplica, owner: Owner): Record<string, string> {
  const { onDisconnect } = wanted.spec.service;
  return {
    ...markOf(owner),
    [replicaLabels.namespace]: wanted.namespace,
    [replicaLabels.replica]: wanted.id,
    [replicaLabels.environment]: wanted.environment,
    [replicaLabels.service]: wanted.service,
    [replicaLabels.number]: String(wanted.number),
    [replicaLabels.specHash]: wanted.specHash,
    [replicaLabels.round]: String(wanted.round),
    ...(onDisconnect.kind === "stop" && { [replicaLabels.stopAfter]: String(onDisconnect.afterSeconds ?? 0) }),
  };
}

/** The same, with networks that share their names told apart by their ids. */
export function withNetworkIds(options: CreateOptions, ids: ReadonlyMap<string, string>): CreateOptions {
  const name = options.HostConfig?.NetworkMode ?? "none";
  const id = ids.get(name);
  if (id === undefined) return options;
  const endpoint = { ...options.NetworkingConfig?.EndpointsConfig?.[name], NetworkID: id };
  return {
    ...options,
    HostConfig: { ...options.HostConfig, NetworkMode: id },
    // By its id alone the engine would look the name up again when it starts.
    NetworkingConfig: { EndpointsConfig: { [name]: endpoint } },
  };
}

function describe(gpu: NonNullable<WantedReplica["gpus"]>[number], { describeGpu }: ContainerRules): AllocatedGpu {
  const { uuid, vendor, memoryMib } = gpu;
  const { deviceNodes, deviceGroups } = describeGpu?.(uuid) ?? {};
  return {
    uuid,
    vendor,
    ...(memoryMib !== null && { memoryMib }),
    ...(deviceNodes && { deviceNodes }),
    ...(deviceGroups && { deviceGroups }),
  };
}
