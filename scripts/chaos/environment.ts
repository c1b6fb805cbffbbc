import { createClient } from "@connectrpc/connect";
import { type Environment, EnvironmentService, EnvironmentState, type Replica } from "@drover/proto/drover/environment";
import { NodeService } from "@drover/proto/drover/node";
import Docker from "dockerode";
import { clearNode } from "../../apps/agent/src/environment/testing.ts";
import { setup } from "./setup.ts";
import type { Api, ApiOptions, World } from "./world.ts";

/** A container of a replica, as its engine lists it. */
export interface Kept {
  id: string;
  service: string;
  number: number;
  state: string;
  startedAt: string;
}

/** As setup(), with clients for environments and nodes. */
export async function setupEnvironments(world: World, options: ApiOptions = {}) {
  const made = await setup(world, options);
  return { ...made, ...environmentClients(made.api) };
}

/** Clients of an API for environments and nodes, and the means to wait for what they tell. */
export function environmentClients(api: Api) {
  const environments = createClient(EnvironmentService, api.transport());
  const nodes = createClient(NodeService, api.transport());
  return {
    environments,
    nodes,
    /** Applies a declaration; answers with the generation. */
    async apply(source: string) {
      return (await environments.applyEnvironment({ source })).environment?.generation ?? 0;
    },
    /** Follows an environment until it is as asked for; rejects with what it said last. */
    async until(
      name: string,
      isThere: (environment: Environment) => boolean,
      { timeoutMs = 20_000 } = {},
    ): Promise<Environment> {
      let last: Environment | undefined;
      try {
        for await (const { environment } of environments.watchEnvironment({ name }, { timeoutMs })) {
          last = environment;
          if (environment !== undefined && isThere(environment)) return environment;
        }
      } catch (error) {
        throw new Error(`Expected environment ${name} to come to be as asked for; it was last: ${tell(last)}`, {
          cause: error,
        });
      }
      throw new Error(`Expected the watch of ${name} to go on; it was last: ${tell(last)}`);
    },
  };
}

/** Whether everything of it runs, and is of this generation. */
export function isReady(generation: number): (environment: Environment) => boolean {
  return ({ state, services }) =>
    state === EnvironmentState.READY &&
    services.every(({ instances }) => instances.every((one) => one.generation === generation));
}

/** The first replica of a service. */
export function replicaOf(environment: Environment, service: string): Replica {
  const [replica] = environment.services.find(({ name }) => name === service)?.instances ?? [];
  if (replica === undefined) throw new Error(`Expected a replica of ${service}, got ${tell(environment)}`);
  return replica;
}

/** Looks at what a node keeps on an engine, and removes it when the world ends. */
export function watchNode(world: World, host: string, node: string) {
  const docker = new Docker({ socketPath: host.replace("unix://", "") });
  const filters = { label: [`drover.holder=${node}`] };
  world.defer(async () => {
    const left = await docker.listContainers({ all: true, filters });
    const remove = left.map(({ Id }) => docker.getContainer(Id).remove({ force: true }));
    await Promise.allSettled(remove);
    await clearNode(host, node).catch(() => undefined);
  });
  return {
    docker,
    /** Its containers, whatever their state, by service. */
    async kept(): Promise<Kept[]> {
      const all = await docker.listContainers({ all: true, filters });
      const kept = all.map(async ({ Id: id, Labels: labels }) => {
        const found = await docker
          .getContainer(id)
          .inspect()
          .catch(() => undefined);
        if (found === undefined) return [];
        const { Status: state, StartedAt: startedAt } = found.State;
        const { "drover.service": service = "", "drover.number": number } = labels;
        return [{ id, service, number: Number(number), state, startedAt }];
      });
      return (await Promise.all(kept))
        .flat()
        .toSorted((a, b) => a.service.localeCompare(b.service) || a.number - b.number);
    },
    /** Names of everything of ours that is on the engine. */
    async leftovers(): Promise<string[]> {
      const [containers, networks, { Volumes: volumes }] = await Promise.all([
        docker.listContainers({ all: true, filters }),
        docker.listNetworks({ filters }),
        docker.listVolumes({ filters }),
      ]);
      return [
        ...containers.flatMap(({ Names }) => Names),
        ...networks.map(({ Name }) => Name),
        ...volumes.map(({ Name }) => Name),
      ];
    },
  };
}

function tell(environment: Environment | undefined): string {
  if (environment === undefined) return "nothing";
  const services = environment.services.map(
    ({ name, instances }) =>
      `${name}: ${instances.map((one) => `state ${one.state} on ${one.node} "${one.message}"`).join(", ")}`,
  );
  return [`state ${environment.state}`, environment.message, ...services].join("; ");
}
