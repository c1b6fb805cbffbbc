import type { EnvValue, HealthCheck, Port, Probe, ServiceMount } from "./declaration.ts";
import type { ReplicaSpec } from "./replica.ts";

/** What changes between two specs of a service, each in words: `image: redis:7 -> redis:8`. Secrets show as their names. */
export function specChanges(before: ReplicaSpec, after: ReplicaSpec): string[] {
  const [old, now] = [factsOf(before), factsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key) => {
    const [from = "none", to = "none"] = [old.get(key), now.get(key)];
    return from === to ? [] : [`${key}: ${from} -> ${to}`];
  });
}

/** Everything that a spec says, by the names that people write; what is not said is not there. */
function factsOf({ service, networks, volumes }: ReplicaSpec): Map<string, string> {
  const { resources, placement, restart, update, onDisconnect } = service;
  const facts: [string, string | number | undefined][] = [
    ["image", service.image],
    ["pull", service.pull],
    ["command", service.command?.map(quoted).join(" ")],
    ["entrypoint", service.entrypoint?.map(quoted).join(" ")],
    ...Object.entries(service.env).map(([name, value]): [string, string] => [`env.${name}`, envText(value)]),
    ["ports", listed(service.ports.map(portText))],
    ["mounts", listed(service.mounts.map(mountText))],
    ["networks", listed(service.networks.map((name) => networkText(name, networks)))],
    ["external volumes", listed(volumes.filter(({ isExternal }) => isExternal === true).map(({ name }) => name))],
    ["dependsOn", listed(service.dependsOn)],
    ["health", service.health && healthText(service.health)],
    ["required", yesNo(service.isRequired)],
    ["restart", `${restart.when} after ${restart.baseDelaySeconds} to ${restart.maxDelaySeconds} s`],
    ["maxRestarts", restart.maxRestarts],
    ["cpu", resources.cpuMillicores === undefined ? undefined : `${resources.cpuMillicores / 1000}`],
    ["memory", bytes(resources.memoryBytes)],
    ["pids", resources.pids],
    ["shm", bytes(resources.shmBytes)],
    ["gpus", resources.gpus && words(resources.gpus)],
    ["replicas", service.replicas],
    ["node", placement.node],
    ["placement.labels", words(placement.labels)],
    ["placement.notLabels", words(placement.notLabels)],
    ["placement.tolerates", listed(placement.tolerates)],
    ["placement.strategy", placement.strategy],
    ["placement.models", listed(placement.models)],
    ["update", `${update.maxUnavailable} at once, healthy for ${update.healthySeconds} s, else ${update.onFailure}`],
    [
      "onDisconnect",
      onDisconnect.kind === "stop" ? `stop after ${onDisconnect.afterSeconds ?? 0} s` : onDisconnect.kind,
    ],
    ["stopGrace", `${service.stopGraceSeconds} s`],
    ["user", service.user],
    ["workingDir", service.workingDir],
    ["readOnlyRoot", yesNo(service.isReadOnlyRoot)],
    ["init", yesNo(service.hasInit === true)],
    ["drift", service.drift],
    ["labels", words(service.labels)],
  ];
  return new Map(facts.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const])));
}

function envText(value: EnvValue): string {
  return typeof value === "string" ? quoted(value) : `secret ${value.secret}`;
}

function portText({ containerPort, hostPort, hostIp, protocol }: Port): string {
  const outside = hostPort === undefined ? "" : `${hostIp === "127.0.0.1" ? "" : `${hostIp}:`}${hostPort}:`;
  return `${outside}${containerPort}${protocol === "udp" ? "/udp" : ""}`;
}

function mountText(mount: ServiceMount): string {
  if (mount.kind === "tmpfs") return `tmpfs:${mount.mountPath}${suffix(bytes(mount.sizeBytes))}`;
  const source = mount.kind === "volume" ? mount.volume : mount.hostPath;
  return `${source}:${mount.mountPath}${mount.isReadOnly ? ":ro" : ""}`;
}

function networkText(name: string, networks: ReplicaSpec["networks"]): string {
  const network = networks.find((one) => one.name === name);
  return `${name}${network?.isInternal === true ? " (internal)" : ""}${network?.isExternal === true ? " (external)" : ""}`;
}

function healthText({ probe, intervalSeconds, timeoutSeconds, retries, startSeconds }: HealthCheck): string {
  const pace = `every ${intervalSeconds} s, within ${timeoutSeconds} s`;
  return `${probeText(probe)} ${pace}, ${retries} retries, ${startSeconds} s to start`;
}

function probeText(probe: Probe): string {
  switch (probe.kind) {
    case "http":
      return `${probe.scheme} ${probe.port}${probe.path}${suffix(words(probe.headers ?? {}))}`;
    case "url":
      return probe.url;
    case "command":
      return `command ${probe.command.map(quoted).join(" ")}`;
    case "tcp":
    case "redis":
      return `${probe.kind} ${probe.port}`;
    case "grpc":
      return `grpc ${probe.port}${suffix(probe.service)}`;
  }
}

function bytes(count: number | undefined): string | undefined {
  if (count === undefined) return undefined;
  if (count % 2 ** 30 === 0) return `${count / 2 ** 30}Gi`;
  return count % 2 ** 20 === 0 ? `${count / 2 ** 20}Mi` : `${count} bytes`;
}

function words(record: object): string | undefined {
  const given = Object.entries(record).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : given.map(([key, value]) => `${key}=${String(value)}`).join(" ");
}

function listed(items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : items.join(", ");
}

function suffix(text: string | undefined): string {
  return text === undefined ? "" : ` ${text}`;
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : JSON.stringify(text);
}

function yesNo(fact: boolean): string {
  return fact ? "yes" : "no";
}
