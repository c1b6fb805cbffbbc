import type { ConfigResult } from "@drover/daemon/config";
import type { Owner } from "./docker/owner.ts";
import type { Puller } from "./docker/pull.ts";
import { createDockerExecutor } from "./executor/docker.ts";
import type { TaskExecutor } from "./executor/executor.ts";
import type { ProviderConfig } from "./executor/llm/provider-config.ts";
import { createProcessExecutor } from "./executor/process.ts";
import type { AnyResult } from "./in-hand.ts";
import type { settings } from "./setting.ts";

type Values = Pick<
  ConfigResult<typeof settings>["values"],
  "docker" | "dockerHost" | "graceSeconds" | "mounts" | "networks" | "process" | "sweepGraceSeconds"
>;

export interface ExecutorsOptions {
  values: Values;
  /** Providers of models, with their keys. */
  providers: readonly ProviderConfig[];
  owner: Owner;
  taskBase: string;
  /** The life of this node that speaks, and its lease; asked for only once it is registered. */
  life: () => { epoch: string; leaseSeconds: number };
  /** The one through which the whole agent pulls. */
  puller: Puller;
  hasGpus: () => boolean;
}

/** What runs tasks on this host, by its settings. */
export async function createExecutors({
  values,
  providers,
  owner,
  taskBase,
  life,
  puller,
  hasGpus,
}: ExecutorsOptions): Promise<TaskExecutor<AnyResult>[]> {
  const stopGraceSeconds = values.graceSeconds;
  // The lease clock stops work at the latest half a lease before its end; two seconds of that prove it gone.
  const leaseLostGraceSeconds = () => life().leaseSeconds / 2 - 2;
  const all = { ...owner, taskBase, stopGraceSeconds, leaseLostGraceSeconds, hasGpus };
  const inContainers = () =>
    createDockerExecutor({
      ...all,
      epoch: () => life().epoch,
      ...(values.dockerHost !== undefined && { host: values.dockerHost }),
      allowedHostPaths: values.mounts ?? [],
      allowedNetworks: values.networks ?? [],
      sweepGraceSeconds: values.sweepGraceSeconds,
      puller,
    });
  return [
    ...(values.docker ? [inContainers()] : []),
    createProcessExecutor({ ...all, enabled: values.process }),
    ...(providers.length > 0 ? [await loadLlmExecutor(providers)] : []),
  ];
}

// The client libraries take 57 MiB and 0.2 s (2 MiB when bundled): not on a node that calls nobody.
async function loadLlmExecutor(providers: readonly ProviderConfig[]) {
  const { createLlmExecutor } = await import("./executor/llm/llm.ts");
  return createLlmExecutor({ providers });
}
