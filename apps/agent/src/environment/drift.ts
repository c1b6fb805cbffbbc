import type { WantedReplica } from "@drover/db/node/replica";
import type { Drift } from "@drover/domain/environment/replica-memory";
import type { Inspection } from "../docker/service-engine.ts";
import { dockerNetworks, hostOptions } from "./container.ts";
import { resourceName } from "./name.ts";

/**
 * What about a running container is not as its spec has it made. What the engine left out because the kernel cannot do
 * it is no change, and secrets are not compared: neither is a reason to make the container anew.
 */
export function findDrift(wanted: WantedReplica, found: Inspection): Drift[] {
  const { service } = wanted.spec;
  const { Config: config, HostConfig: host, State: state } = found;
  const made = hostOptions(service);
  const drift: Drift[] = [];
  const compare = (field: string, want: unknown, have: unknown) => {
    const [wantText, haveText] = [textOf(want), textOf(have)];
    if (wantText !== haveText) drift.push({ field, wanted: wantText, found: haveText });
  };
  compare("image", service.image, config.Image);
  if (service.command) compare("command", service.command, config.Cmd);
  if (service.entrypoint) compare("entrypoint", service.entrypoint, config.Entrypoint);
  if (service.user !== undefined) compare("user", service.user, config.User);
  for (const [name, value] of Object.entries(service.env)) {
    if (typeof value !== "string" || config.Env?.includes(`${name}=${value}`)) continue;
    const other = config.Env?.find((one) => one.startsWith(`${name}=`));
    drift.push({ field: `env.${name}`, wanted: value, found: other?.slice(name.length + 1) ?? "" });
  }
  compare("ports", bindingTexts(made.PortBindings), bindingTexts(host.PortBindings));
  compare("mounts", wantedMounts(wanted), foundMounts(found));
  const missing = dockerNetworks(wanted).filter((name) => !(name in (found.NetworkSettings.Networks ?? {})));
  if (missing.length > 0) drift.push({ field: "networks", wanted: missing.join(", "), found: "" });
  if (host.Memory) compare("memory", made.Memory ?? 0, host.Memory);
  if (host.NanoCpus) compare("cpu", made.NanoCpus ?? 0, host.NanoCpus);
  if (host.PidsLimit) compare("pids", made.PidsLimit, host.PidsLimit);
  compare("restart", made.RestartPolicy?.Name, host.RestartPolicy?.Name || "no");
  compare("readOnlyRoot", made.ReadonlyRootfs, host.ReadonlyRootfs);
  if (state.Paused) drift.push({ field: "paused", wanted: "no", found: "yes" });
  return drift;
}

function bindingTexts(bindings: unknown): string[] {
  const all = Object.entries((bindings ?? {}) as Record<string, { HostIp?: string; HostPort?: string }[] | null>);
  return all
    .flatMap(([key, hosts]) => (hosts ?? []).map(({ HostIp = "", HostPort = "" }) => `${HostIp}:${HostPort}->${key}`))
    .toSorted();
}

function wantedMounts(wanted: WantedReplica): string[] {
  const { service, volumes } = wanted.spec;
  return service.mounts
    .map((mount) => {
      if (mount.kind === "tmpfs") return `tmpfs ${mount.mountPath}`;
      const mode = mount.isReadOnly ? "ro" : "rw";
      // The source of a bind mount is where its links led when it was made.
      if (mount.kind === "bind") return `bind ${mount.mountPath} ${mode}`;
      const declared = volumes.find(({ name }) => name === mount.volume) ?? { name: mount.volume };
      return `volume ${mount.mountPath} ${mode} ${resourceName(wanted, declared)}`;
    })
    .toSorted();
}

function foundMounts({ HostConfig: { Mounts: mounts } }: Inspection): string[] {
  return (mounts ?? [])
    .map(({ Type, Source, Target, ReadOnly }) => {
      if (Type === "tmpfs") return `tmpfs ${Target}`;
      const mode = ReadOnly === true ? "ro" : "rw";
      return Type === "bind" ? `bind ${Target} ${mode}` : `volume ${Target} ${mode} ${Source}`;
    })
    .toSorted();
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
